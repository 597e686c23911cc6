import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { NO_TENANT } from '@plexus/contracts';
import type { Command } from 'commander';
import { createBackup, datedName, pruneBackups } from '../backup/create-backup.js';
import { checkRows, type Manifest } from '../backup/manifest.js';
import { type Environment, openPlaces, type Places } from '../backup/places.js';
import { refuseRunning, restoreBackup, type RestoreOptions, verifyBackup } from '../backup/restore-backup.js';
import { settle } from '../backup/settle.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';
import { noteDone } from './audit.js';

interface CreateOptions {
  readonly dated?: boolean;
  readonly keep?: number;
}

/** `plexus backup create|verify|restore|settle`: streams, buckets and tables of a mesh, as of one moment. */
export function backupCommand(program: Command, output: () => Output, mesh: () => MeshOptions, environment: Environment): void {
  const backup = program.command('backup').description('streams, buckets and tables of a mesh: take, check and put back; see docs/guides/backup.md');
  const note = (line: string): void => output().note(line);
  const within = async <T>(work: (places: Places) => Promise<T>): Promise<T> => {
    const places = await openPlaces(mesh(), environment);
    try {
      return await work(places);
    } finally {
      await places.close();
    }
  };

  backup
    .command('create <folder>')
    .description('take one while the mesh works; the folder appears when it is whole')
    .option('--dated', 'make a folder of its own with the time in its name inside <folder>')
    .option('--keep <n>', 'with --dated: remove the oldest until so many are left', Number)
    .action(async (folder: string, options: CreateOptions) => {
      if (options.keep !== undefined && !(options.dated === true && Number.isInteger(options.keep) && options.keep >= 1))
        throw new CommandFailure('--keep goes with --dated and takes a whole number from 1.', EXIT.usage, undefined, 'USAGE');
      if (options.dated === true) mkdirSync(folder, { recursive: true, mode: 0o700 });
      const target = options.dated === true ? path.join(folder, datedName(new Date())) : folder;
      const manifest = await within(async (places) => {
        const made = await createBackup(places, target, note);
        await noteDone(places.bus, output(), NO_TENANT, 'backup.create', { folder: path.basename(target), ...numbers(made) });
        return made;
      });
      const removed = options.keep === undefined ? [] : pruneBackups(folder, options.keep);
      output().result({ folder: target, removed, ...summary(manifest) }, [
        `${target}: everything that was acknowledged before ${manifest.startedAt}. ${words(manifest)}`,
        ...manifest.warnings.map((warning) => `! ${warning}`),
        'Credentials, the master key and signing keys are not in it: keep them elsewhere. What people said is: keep it where only you can read it.',
      ]);
    });

  backup
    .command('verify <folder>')
    .description('read all of it and compare it with its manifest; nothing is needed but the folder')
    .action(async (folder: string) => {
      const manifest = await verifyBackup(folder, note);
      await checkRows(folder, manifest);
      output().result({ folder, ...summary(manifest) }, `${folder} is whole. ${words(manifest)}`);
    });

  backup
    .command('restore <folder>')
    .description('put it into an empty state folder, or an empty NATS and databases; no service may be running')
    .option('--replace', 'delete the streams and schemas that are there first')
    .option('--replicas <n>', 'copies of each stream, instead of as many as there were', Number)
    .action(async (folder: string, options: RestoreOptions) => {
      // Before any server is started for it: a damaged backup leaves no trace.
      await verifyBackup(folder, () => undefined);
      const restored = await within(async (places) => {
        const back = await restoreBackup(places, folder, options, note);
        // Into the log that has come back: it ends where the backup began, and this says why.
        await noteDone(places.bus, output(), NO_TENANT, 'backup.restore', { folder: path.basename(folder), startedAt: back.startedAt, rows: back.rows });
        return back;
      });
      output().result(restored, [
        `${restored.messages} messages in ${restored.streams} streams and ${restored.rows} rows are back, as of ${restored.startedAt}.`,
        `${restored.again} facts and commands will be handed over again; who has them already recognises them.`,
        'Start the services. People who were erased since then must be erased again.',
      ]);
    });

  backup
    .command('settle')
    .description('after restoring Postgres or JetStream by other tools, before services start: make them fit together')
    .requiredOption('--since <time>', 'the older of the two moments (RFC 3339): what was handed over since then is handed over again')
    .action(async ({ since }: { since: string }) => {
      if (Number.isNaN(Date.parse(since)))
        throw new CommandFailure(`${JSON.stringify(since)} is no time.`, EXIT.usage, 'For example 2026-11-24T03:00:00Z.', 'USAGE');
      const settled = await within(async (places) => {
        // It ends every VM and takes push's partitions away: of a mesh that works, too.
        await refuseRunning(places.bus);
        const done = await settle(places, since, note);
        await noteDone(places.bus, output(), NO_TENANT, 'backup.settle', { since, again: done.again });
        return done;
      });
      output().result(settled, `${settled.again} facts and commands will be handed over again; inboxes and VMs have new epochs. Start the services.`);
    });
}

function summary({ startedAt, finishedAt, streams, databases, leftOut, warnings }: Manifest) {
  return {
    startedAt,
    finishedAt,
    streams: Object.fromEntries(streams.map(({ name, state }) => [name, state.messages])),
    tables: Object.assign({}, ...databases.map(({ tables }) => tables)) as Record<string, number>,
    bytes: [...streams, ...databases].reduce((total, { bytes }) => total + bytes, 0),
    leftOut,
    warnings,
  };
}

function numbers(manifest: Manifest) {
  const { startedAt, streams, tables } = summary(manifest);
  const messages = Object.values(streams).reduce((total, count) => total + count, 0);
  const rows = Object.values(tables).reduce((total, count) => total + count, 0);
  return { startedAt, messages, rows };
}

function words(manifest: Manifest): string {
  const { streams, tables, bytes } = summary(manifest);
  const { messages, rows } = numbers(manifest);
  return `${messages} messages in ${Object.keys(streams).length} streams, ${rows} rows in ${Object.keys(tables).length} tables, ${bytes} bytes.`;
}
