import { cpSync, createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Bus, discoverServices, restoreStream } from '@plexus/bus';
import { type Database, migrate, restoreTables } from '@plexus/database';
import { repositoryRoot } from '@plexus/local-stack';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { Manifest, SavedDatabase } from './manifest.js';
import { checkFiles, readManifest } from './manifest.js';
import { readPackedLines } from './packed-lines.js';
import type { DatabasePlace, Places } from './places.js';
import { type Settled, settle } from './settle.js';

export interface RestoreOptions {
  /** Delete what is there first. */
  readonly replace?: boolean;
  /** Copies of each stream, instead of as many as there were. */
  readonly replicas?: number;
}

export interface Restored extends Settled {
  readonly startedAt: string;
  readonly streams: number;
  readonly messages: number;
  readonly rows: number;
}

/** Everything that can be known without touching the target: files, digests, and that this version knows the tables. */
export async function verifyBackup(folder: string, note: (line: string) => void): Promise<Manifest> {
  const manifest = readManifest(folder);
  await checkFiles(folder, manifest, note);
  for (const { migrations } of manifest.databases) for (const [schema, applied] of Object.entries(migrations)) knownMigrations(schema, applied);
  return manifest;
}

/** Puts a backup into an empty NATS and empty databases. What is damaged, or would overwrite something, is refused before anything is written. */
export async function restoreBackup(places: Places, folder: string, options: RestoreOptions, note: (line: string) => void): Promise<Restored> {
  const manifest = await verifyBackup(folder, note);
  const targets = manifest.databases.map((saved) => ({ saved, place: placeOf(places, saved) }));
  await refuseRunning(places.bus);
  await clear(places.bus, manifest, targets, options.replace === true);

  let rows = 0;
  for (const { saved, place } of targets) rows += await restoreDatabase(place, saved, folder, note);
  let messages = 0;
  for (const { file, name, config, state } of manifest.streams) {
    const replicas = options.replicas ?? (places.isAlone ? 1 : config.num_replicas);
    const result = await restoreStream(places.bus, { config: { ...config, num_replicas: replicas }, state }, createReadStream(path.join(folder, file)));
    messages += result.messages;
    note(`${name}: ${result.messages} messages, up to ${result.lastSeq}`);
  }
  const settled = await settle(places, manifest.startedAt, note);
  return { startedAt: manifest.startedAt, streams: manifest.streams.length, messages, rows, ...settled };
}

function placeOf(places: Places, { name }: SavedDatabase): DatabasePlace {
  const place = places.databases.find((one) => one.name === name);
  if (place !== undefined) return place;
  throw new CommandFailure(`The backup has the database ${name}, and none is named for it.`, EXIT.usage, 'Set MEMORY_DATABASE_URL.', 'USAGE');
}

/** A service that is busy answers late, and must not be taken for one that does not run. */
const ANSWER_LIMIT_MS = 5_000;

/** Throws while services work on the target. */
export async function refuseRunning(bus: Bus): Promise<void> {
  const found = await discoverServices(bus, { maxMs: ANSWER_LIMIT_MS, quietMs: ANSWER_LIMIT_MS });
  const running = [...new Set(found.map(({ service }) => service))];
  if (running.length === 0) return;
  throw new CommandFailure(
    `These services are running on the target: ${running.join(', ')}.`,
    EXIT.failed,
    'Stop them (`kubectl scale deployment --all --replicas 0`, Ctrl-C): they would work on half of it.',
    'SERVICES_RUNNING',
  );
}

type Targets = readonly { readonly saved: SavedDatabase; readonly place: DatabasePlace }[];

/** Looks at everything before it removes anything. */
async function clear(bus: Bus, { streams }: Manifest, targets: Targets, replace: boolean): Promise<void> {
  const there: string[] = [];
  const removals: (() => Promise<unknown>)[] = [];
  for (const { name } of streams) {
    if ((await bus.jetstream.streamInfo(name)) === undefined) continue;
    there.push(`stream ${name}`);
    removals.push(() => deleteStream(bus, name));
  }
  const databases: Database[] = [];
  try {
    for (const { saved, place } of targets) {
      const database = await place.openToWrite();
      databases.push(database);
      const found = await database.query<{ name: string }>('restore_schemas', 'SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY ($1::text[])', [
        saved.schemas,
      ]);
      for (const { name } of found) {
        there.push(`schema ${name}`);
        removals.push(() => database.script(`DROP SCHEMA "${name}" CASCADE`));
      }
    }
    if (there.length > 0 && !replace) {
      throw new CommandFailure(
        `There is something already: ${there.slice(0, 6).join(', ')}${there.length > 6 ? ` and ${there.length - 6} more` : ''}. Nothing was written.`,
        EXIT.failed,
        '--replace deletes it first.',
        'NOT_EMPTY',
      );
    }
    for (const remove of removals) await remove();
  } finally {
    for (const database of databases) await database.close();
  }
}

/** A stream that stays would make the restore end half-way, when the tables are gone. */
async function deleteStream(bus: Bus, name: string): Promise<void> {
  const answer = await bus.connection.request(`$JS.API.STREAM.DELETE.${name}`, undefined, { timeout: 30_000 });
  const { error } = answer.json<{ readonly error?: { readonly description?: string } }>();
  if (error === undefined) return;
  throw new CommandFailure(`NATS does not delete the stream ${name}: ${error.description ?? 'no reason given'}.`, EXIT.failed, undefined, 'NOT_DELETED');
}

/** The tables as they were, the rows, and then what newer versions have added to the tables. */
async function restoreDatabase(place: DatabasePlace, saved: SavedDatabase, folder: string, note: (line: string) => void): Promise<number> {
  const database = await place.openToWrite();
  try {
    for (const [schema, applied] of Object.entries(saved.migrations)) await migrateAsItWas(database, schema, applied);
    const rows = await restoreTables(database, saved.schemas, () => readPackedLines(path.join(folder, saved.file)));
    for (const schema of Object.keys(saved.migrations)) await migrate({ database, schema, directory: migrationsOf(schema) });
    note(`${saved.name}: ${rows} rows`);
    return rows;
  } finally {
    await database.close();
  }
}

async function migrateAsItWas(database: Database, schema: string, applied: SavedDatabase['migrations'][string]): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), 'plexus-migrations-'));
  try {
    for (const folder of knownMigrations(schema, applied)) cpSync(folder, path.join(directory, path.basename(folder)), { recursive: true });
    await migrate({ database, schema, directory });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Folders of the migrations that a backup had applied. Throws when this version does not know one, or knows another one of that name. */
function knownMigrations(schema: string, applied: SavedDatabase['migrations'][string]): string[] {
  return applied.map(({ name, checksum }) => {
    const folder = path.join(migrationsOf(schema), name);
    const file = path.join(folder, 'migration.sql');
    const known = existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : undefined;
    if (known === checksum) return folder;
    throw new CommandFailure(
      known === undefined ? `The backup is of a newer version: this one does not know ${schema}/${name}.` : `${schema}/${name} is another one in this version.`,
      EXIT.failed,
      'Restore with the version that made the backup, or a newer one, and upgrade afterwards.',
      'OTHER_VERSION',
    );
  });
}

function migrationsOf(schema: string): string {
  return path.join(repositoryRoot(), 'services', schema, 'prisma', 'migrations');
}
