import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { StreamSnapshot } from '@plexus/bus';
import type { DumpedDatabase } from '@plexus/database';
import { DATABASE_SERVICES } from '@plexus/local-stack';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type FileSum, readPackedLines, sumOf } from './packed-lines.js';

export interface SavedStream extends StreamSnapshot, FileSum {
  readonly name: string;
  readonly takenAt: string;
}

export interface SavedDatabase extends DumpedDatabase, FileSum {
  /** `plexus`: routing, push and scheduler; `memory`: that of the memory service. */
  readonly name: 'plexus' | 'memory';
  readonly engine: 'postgres' | 'pglite';
  readonly schemas: readonly string[];
}

/** `manifest.json`: what a backup holds, and how to recognise that it is all there. */
export interface Manifest {
  readonly format: 'plexus-backup';
  readonly version: 1;
  /** Nothing that was acknowledged before this moment is missing. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly natsVersion: string;
  readonly streams: readonly SavedStream[];
  readonly databases: readonly SavedDatabase[];
  /** Streams that are not worth keeping, or must not be kept. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
}

const FILE = 'manifest.json';
const DIGEST = 'manifest.sha256';

export function writeManifest(folder: string, manifest: Manifest): void {
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  writeFileSync(path.join(folder, FILE), text, { mode: 0o600 });
  writeFileSync(path.join(folder, DIGEST), `${digest(text)}  ${FILE}\n`, { mode: 0o600 });
}

/** The manifest of a backup, unless it was changed, cut off, or is of another kind. */
export function readManifest(folder: string): Manifest {
  const file = path.join(folder, FILE);
  if (!existsSync(file) || !existsSync(path.join(folder, DIGEST))) throw refused(`${folder} holds no whole backup: there is no ${FILE} with its digest.`);
  const text = readFileSync(file, 'utf8');
  if (readFileSync(path.join(folder, DIGEST), 'utf8').split(/\s/)[0] !== digest(text)) throw refused(`${file} was changed after the backup was made.`);
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.format !== 'plexus-backup' || manifest.version !== 1) {
    throw refused(`${file} is of a kind that this version of plexus does not read (${manifest.format}, ${manifest.version}).`);
  }
  const strange = strangeNames(manifest);
  if (strange.length > 0) throw refused(`${file} names what no backup of plexus holds: ${strange.map((name) => JSON.stringify(name)).join(', ')}.`);
  return manifest;
}

/** What a database of that name may hold. */
const SCHEMAS: Readonly<Record<string, readonly string[]>> = { plexus: DATABASE_SERVICES, memory: ['memory'] };

/**
 * Names that `plexus backup create` does not write. They become paths, subjects and identifiers of SQL, and a digest beside the manifest says only that it
 * is whole: a folder that somebody else had in hand must not reach beyond itself, nor beyond what is ours.
 */
function strangeNames({ streams, databases }: Manifest): string[] {
  const strange: string[] = [];
  const expect = (isOurs: boolean, name: string): void => {
    if (!isOurs) strange.push(name);
  };
  for (const { name, file, config } of streams) {
    expect(/^(KV_|OBJ_)?PLEXUS_[\w-]+$/.test(name), name);
    expect(config.name === name, config.name);
    expect(file === `${name}.snapshot`, file);
  }
  for (const { name, file, schemas, migrations } of databases) {
    const known = Object.hasOwn(SCHEMAS, name) ? (SCHEMAS[name] ?? []) : [];
    expect(known.length > 0, name);
    expect(file === `${name}.rows.gz`, file);
    for (const schema of [...schemas, ...Object.keys(migrations)]) expect(known.includes(schema), schema);
    for (const applied of Object.values(migrations)) for (const one of applied) expect(/^\d{14}_\w+$/.test(one.name), one.name);
  }
  return strange;
}

/** Reads every file of the backup and compares it with the manifest. Throws a CommandFailure that names all that are missing or damaged. */
export async function checkFiles(folder: string, manifest: Manifest, note: (line: string) => void): Promise<void> {
  const problems: string[] = [];
  for (const { file, bytes, sha256 } of [...manifest.streams, ...manifest.databases]) {
    const target = path.join(folder, file);
    if (!existsSync(target)) {
      problems.push(`${file} is missing`);
      continue;
    }
    const found = await sumOf(target, file);
    if (found.bytes !== bytes) problems.push(`${file} has ${found.bytes} bytes instead of ${bytes}`);
    else if (found.sha256 !== sha256) problems.push(`${file} was changed: its SHA-256 is another one`);
    else note(`${file}: ${bytes} bytes, as written`);
  }
  if (problems.length > 0) throw refused(`The backup in ${folder} is damaged: ${problems.join('; ')}.`);
}

/** Reads every row of the dumps as a restore would. Throws a CommandFailure when one cannot be read, or when there are not as many as were written. */
export async function checkRows(folder: string, { databases }: Pick<Manifest, 'databases'>): Promise<void> {
  for (const { file, tables } of databases) {
    const written = Object.values(tables).reduce((total, count) => total + count, 0);
    let found = 0;
    try {
      for await (const line of readPackedLines(path.join(folder, file))) if (Array.isArray(line)) found += 1;
    } catch (cause) {
      throw refused(`The rows of ${file} cannot be read behind the first ${found}: ${(cause as Error).message}.`);
    }
    if (found !== written) throw refused(`${file} holds ${found} rows instead of ${written}.`);
  }
}

function refused(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.failed, 'Nothing was written. Take another backup.', 'BACKUP_DAMAGED');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
