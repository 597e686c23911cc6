import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { snapshotStream } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { dumpTables } from '@plexus/database';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type Manifest, type SavedDatabase, type SavedStream, writeManifest } from './manifest.js';
import { SummedFile } from './packed-lines.js';
import type { DatabasePlace, Places } from './places.js';

/**
 * What lives for seconds and is made again by whoever needs it: leases, connections, one-time tickets, states of processes. `PLEXUS_KEYS` are the public halves
 * of keys that die with their process.
 */
const LEFT_OUT: ReadonlySet<string> = new Set(
  [BUCKETS.keys, BUCKETS.tickets, BUCKETS.nodes, BUCKETS.presence, BUCKETS.vmConn, BUCKETS.configStatus, BUCKETS.leases].map(({ name }) => `KV_${name}`),
);
const OURS = /^(KV_|OBJ_)?PLEXUS_/;
/**
 * Sources before what is made of them: what a consumer has acknowledged must be found where it went. Commands end in events, events in rows (Postgres comes
 * after these streams), and what cannot be handled in a dead letter. Buckets come last: what keeps something from being done twice is at least as new as
 * what might be done.
 */
const RANKS: readonly RegExp[] = [/^PLEXUS_CMD_/, /^PLEXUS_(IN|EVT_\w+)$/, /^PLEXUS_ADVISORIES$/, /^PLEXUS_DLQ$/, /^PLEXUS_/, /^/];
/**
 * Push's log is filled from rows too: a page of a large audience goes when its candidates are in the log. So it is taken after the rows. No consumer has a
 * position in it; the rows say how far it was decided, and what lies behind is decided again.
 */
const AFTER_ROWS: ReadonlySet<string> = new Set(['PLEXUS_PUSH_LOG']);
/** How long relays keep rows that they have published; see OutboxRelay. */
const OUTBOX_KEPT_MS = 600_000;

/** Takes a backup into `folder`, which must not exist: it is made beside it and renamed when it is whole. */
export async function createBackup(places: Places, folder: string, note: (line: string) => void): Promise<Manifest> {
  if (existsSync(folder))
    throw new CommandFailure(`${folder} exists.`, EXIT.usage, 'Name a folder that does not; --dated makes one for every backup.', 'EXISTS');
  const draft = `${path.resolve(folder)}.part-${process.pid}`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  try {
    const manifest = await fill(places, draft, note);
    writeManifest(draft, manifest);
    chmodSync(draft, 0o700);
    renameSync(draft, folder);
    return manifest;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

async function fill({ bus, databases }: Places, draft: string, note: (line: string) => void): Promise<Manifest> {
  const startedAt = new Date().toISOString();
  const found = (await bus.jetstream.streams()).map(({ config }) => config.name).filter((name) => OURS.test(name));
  if (found.length === 0) throw nothingThere('This NATS holds no stream of Plexus that this credential may see.');
  const leftOut = found.filter((name) => LEFT_OUT.has(name));
  const streams: SavedStream[] = [];
  const take = async (name: string): Promise<void> => {
    const takenAt = new Date().toISOString();
    const file = new SummedFile(draft, `${name}.snapshot`);
    const snapshot = await snapshotStream(bus, name, (chunk) => file.write(chunk));
    const sum = await file.end();
    streams.push({ name, takenAt, ...snapshot, ...sum });
    note(`${name}: ${snapshot.state.messages} messages, ${sum.bytes} bytes`);
  };
  const kept = inOrder(found.filter((name) => !LEFT_OUT.has(name)));
  for (const name of kept.filter((one) => !AFTER_ROWS.has(one))) await take(name);
  const saved: SavedDatabase[] = [];
  for (const place of databases) saved.push(await saveDatabase(place, draft, note));
  for (const name of kept.filter((one) => AFTER_ROWS.has(one))) await take(name);
  const finishedAt = new Date().toISOString();
  return {
    format: 'plexus-backup',
    version: 1,
    startedAt,
    finishedAt,
    natsVersion: bus.connection.info?.version ?? '',
    streams,
    databases: saved,
    leftOut,
    warnings: warningsOf(startedAt, saved),
  };
}

/** An empty backup looks like a good one, and `--keep` would remove the good ones for it. */
function nothingThere(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.failed, 'Is it the right state folder, server and credential? No backup was made.', 'NOTHING_THERE');
}

/** The order in which streams are taken, but for those that come after the rows. */
export function inOrder(names: readonly string[]): string[] {
  const rank = (name: string): number => RANKS.findIndex((pattern) => pattern.test(name));
  return [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

async function saveDatabase(place: DatabasePlace, draft: string, note: (line: string) => void): Promise<SavedDatabase> {
  const database = await place.openToRead();
  try {
    const file = new SummedFile(draft, `${place.name}.rows.gz`, { packed: true });
    const dumped = await dumpTables(database, place, (line) => file.write(`${JSON.stringify(line)}\n`));
    const sum = await file.end();
    // An embedded memory service that has never run has no tables yet.
    if (place.engine === 'postgres' && Object.keys(dumped.tables).length === 0) {
      throw nothingThere(`The database for ${place.name} has no table in ${place.schemas.join(', ')}.`);
    }
    const rows = Object.values(dumped.tables).reduce((total, count) => total + count, 0);
    note(`${place.name} (${place.engine}): ${rows} rows of ${Object.keys(dumped.tables).length} tables, ${sum.bytes} bytes`);
    return { name: place.name, engine: place.engine, schemas: place.schemas, ...dumped, ...sum };
  } finally {
    await database.close();
  }
}

/** What whoever relies on the backup must know. */
export function warningsOf(startedAt: string, databases: readonly Pick<SavedDatabase, 'name' | 'takenAt'>[]): string[] {
  const last = Math.max(...databases.map(({ takenAt }) => Date.parse(takenAt)));
  const isLate = last - Date.parse(startedAt) >= OUTBOX_KEPT_MS - 60_000;
  return [
    ...(databases.some(({ name }) => name === 'memory') ? [] : ['MEMORY_DATABASE_URL is not set: what agents remember is not in it.']),
    ...(isLate
      ? ['The streams took longer than relays keep what they have published: facts of that time may be in no stream. Take the backup when less is going on.']
      : []),
  ];
}

/** Removes the oldest dated backups of a folder until `keep` are left. Only whole ones count, and only folders named as we name them go. */
export function pruneBackups(parent: string, keep: number): string[] {
  const dated = readdirSync(parent)
    .filter((name) => /^plexus-\d{8}T\d{6}Z$/.test(name) && existsSync(path.join(parent, name, 'manifest.sha256')))
    .sort();
  const gone = dated.slice(0, Math.max(0, dated.length - keep));
  for (const name of gone) rmSync(path.join(parent, name), { recursive: true, force: true });
  return gone;
}

/** The name of a dated backup. */
export function datedName(now: Date): string {
  return `plexus-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
}
