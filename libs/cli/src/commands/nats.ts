import { applyStreams, type PlanEntry, planStreams } from '@plexus/bus';
import { parseIntegrator, writeNatsAccounts } from '@plexus/local-stack';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import { type Output, table } from '../output.js';
import { noteDone, noteDoneOffline } from './audit.js';

const SIGNS = { create: '+', update: '~', conflict: '!', ok: ' ' } as const;

function show(entries: readonly PlanEntry[]): string[] {
  const changed = entries.filter((entry) => entry.action !== 'ok');
  if (changed.length === 0) return [`Nothing to do: ${entries.length} streams, consumers and buckets are as declared.`];
  const rows = changed.map((entry) => [
    SIGNS[entry.action],
    entry.kind,
    entry.asset,
    entry.differences
      .map(
        (difference) =>
          `${difference.field}: ${JSON.stringify(difference.stored)} → ${JSON.stringify(difference.declared)}${difference.reason ? ` (${difference.reason})` : ''}`,
      )
      .join('; '),
  ]);
  return [...table(rows), '', `${changed.length} to change, ${entries.length - changed.length} as declared.`];
}

interface AccountOptions {
  readonly integrator: readonly string[];
  readonly rotate: readonly string[];
  readonly retire: readonly string[];
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

interface PlanArguments {
  readonly maxBytes?: number;
  readonly replicas?: number;
}

/** NATS knows one to five copies of a stream. */
function planOf({ maxBytes, replicas }: PlanArguments): { maxBytesCap?: number; replicas?: number } {
  if (replicas !== undefined && !(Number.isInteger(replicas) && replicas >= 1 && replicas <= 5))
    throw new CommandFailure('--replicas must be a whole number from 1 to 5.', EXIT.usage, 'As many as the cluster has servers, at most; odd.', 'USAGE');
  return { ...(maxBytes !== undefined && { maxBytesCap: maxBytes }), ...(replicas !== undefined && { replicas }) };
}

/** `plexus nats plan|apply|accounts`: streams, consumers, buckets, and users with their permissions, as declared in the contracts. */
export function natsCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const nats = program.command('nats').description('compare (plan) or create and update (apply) streams, consumers and buckets');

  nats
    .command('plan')
    .description('what `apply` would do; exit 4 when there is anything')
    .option('--max-bytes <bytes>', 'as `apply` would be told', Number)
    .option('--replicas <n>', 'as `apply` would be told', Number)
    .action(async (options: PlanArguments) => {
      const entries = await withBus(mesh(), (bus) => planStreams(bus, planOf(options)));
      output().result(entries, show(entries));
      if (entries.some((entry) => entry.action !== 'ok')) process.exitCode = EXIT.findings;
    });

  nats
    .command('apply')
    .description('create and update; never deletes messages; exit 4 when conflicts remain')
    .option('--max-bytes <bytes>', 'cap on the size of each stream and bucket, for small disks', Number)
    .option('--replicas <n>', 'copies of each stream and bucket on as many servers: 1, 3 or 5; 3 in production', Number)
    .action(async (options: PlanArguments) => {
      const entries = await withBus(mesh(), async (bus) => {
        const applied = await applyStreams(bus, planOf(options));
        const namesOf = (wanted: PlanEntry['action']): string[] =>
          applied
            .filter(({ action }) => action === wanted)
            .map(({ asset }) => asset)
            .slice(0, 100);
        const [created, updated] = [namesOf('create'), namesOf('update')];
        if (created.length + updated.length > 0) await noteDone(bus, output(), '_', 'nats.apply', { created, updated });
        return applied;
      });
      output().result(entries, show(entries));
      if (entries.some((entry) => entry.action === 'conflict')) process.exitCode = EXIT.findings;
    });

  nats
    .command('accounts <folder>')
    .description('write accounts.conf for nats-server and a seed per role and integrator; seeds that exist are kept')
    .option('--integrator <tenant/source[=domains]>', 'a service of somebody else, and the event domains it may read; may be repeated', collect, [])
    .option('--rotate <name>', 'a new seed for this credential; the former one stays accepted until it is retired', collect, [])
    .option('--retire <name>', 'stop accepting the former seed of this credential', collect, [])
    .action(async (folder: string, { integrator, rotate, retire }: AccountOptions) => {
      const written = writeNatsAccounts(folder, { integrators: integrator.map(parseIntegrator), rotate, retire });
      await noteDoneOffline(mesh(), output(), '_', 'nats.accounts', {
        ...{ credentials: written.credentials.map(({ name }) => name).slice(0, 100), rotated: [...rotate].slice(0, 100), retired: [...retire].slice(0, 100) },
      });
      const rows = written.credentials.map(({ name, seedFile, hasPrevious }) => [name, seedFile, hasPrevious ? 'the former seed is accepted too' : '']);
      output().result(written, [...table(rows), '', `Servers include ${written.configFile}; tell them with \`nats-server --signal reload\` (SIGHUP).`]);
    });
}
