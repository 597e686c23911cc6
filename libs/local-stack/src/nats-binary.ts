import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Environment, environment } from './config.js';
import { lock } from '@plexus/kernel/file-lock';
import { repositoryRoot } from './repository.js';
import { StartError } from './start-error.js';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 120_000;

const ADVICE = [
  'Plexus needs a nats-server (2.9.10 or newer). Any of these will do:',
  '  - Debian, Ubuntu:  apt-get install nats-server',
  '  - macOS:           brew install nats-server',
  '  - Go:              go install github.com/nats-io/nats-server/v2@latest',
  '  - a release from https://github.com/nats-io/nats-server/releases, put on PATH or named by NATS_SERVER',
  '  - a server that runs already, named by NATS_URL',
].join('\n');

export interface FindNatsServerOptions {
  readonly env?: Environment;
  /** Where a downloaded copy is kept; default `<repository>/.plexus/bin`. */
  readonly cacheDir?: string;
  /** Looked through after PATH: Debian puts servers into sbin, which is not on everybody's PATH. */
  readonly systemFolders?: readonly string[];
  /** false: only look. Default true. */
  readonly download?: boolean;
  /** Gets a sentence whenever finding it takes long. */
  readonly onProgress?: (line: string) => void;
}

/**
 * Path of a `nats-server` executable: `NATS_SERVER`, else PATH, else the cached copy, else Debian's package unpacked into the cache
 * (`apt-get download` and `dpkg -x` need no root). Several processes may ask at the same time; one downloads, the others wait.
 * Throws {@link StartError} `NATS_SERVER_MISSING` with what to install.
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<string> {
  const { env = environment(), cacheDir = path.join(repositoryRoot(), '.plexus', 'bin'), download = true, onProgress = () => {} } = options;
  if (env.NATS_SERVER !== undefined && env.NATS_SERVER !== '') {
    if (isExecutable(env.NATS_SERVER)) return env.NATS_SERVER;
    throw new StartError('NATS_SERVER_MISSING', `NATS_SERVER names ${JSON.stringify(env.NATS_SERVER)}, which is not an executable file.`);
  }
  const onPath = findOnPath('nats-server', env, options.systemFolders ?? ['/usr/local/sbin', '/usr/sbin', '/usr/local/bin']);
  if (onPath !== undefined) return onPath;
  const cached = path.join(cacheDir, 'nats-server');
  if (isExecutable(cached)) return cached;

  if (!download) throw new StartError('NATS_SERVER_MISSING', 'There is no nats-server on PATH and no cached copy.', ADVICE);

  mkdirSync(cacheDir, { recursive: true });
  const held = await lock(path.join(cacheDir, 'nats-server.lock'), 2 * DOWNLOAD_TIMEOUT_MS, ({ process: { pid } }) =>
    onProgress(`waiting for process ${pid}, which is fetching nats-server`),
  );
  try {
    if (!isExecutable(cached)) await fetchDebianPackage(cacheDir, cached, env, onProgress);
    return cached;
  } finally {
    held.release();
  }
}

async function fetchDebianPackage(cacheDir: string, target: string, env: Environment, onProgress: (line: string) => void): Promise<void> {
  if (findOnPath('apt-get', env) === undefined || findOnPath('dpkg', env) === undefined) {
    throw new StartError('NATS_SERVER_MISSING', 'There is no nats-server on PATH, and no apt-get to fetch one with.', ADVICE);
  }
  const work = path.join(cacheDir, `.fetch-${process.pid}`);
  const lists = path.join(work, 'lists');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(path.join(lists, 'partial'), { recursive: true });
  const execute = (command: string, args: string[]) => run(command, args, { cwd: work, env: { ...env, LC_ALL: 'C' }, timeout: DOWNLOAD_TIMEOUT_MS });
  try {
    onProgress('fetching nats-server (Debian package, about 4 MB)');
    try {
      await execute('apt-get', ['-q', 'download', 'nats-server']);
    } catch {
      // Most often a machine whose package lists are empty or old. Lists of our own need no root and change nothing on the machine.
      onProgress('the package lists know no nats-server: reading fresh ones (apt-get update, into a folder of our own)');
      const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${work}`, '-o', 'APT::Sandbox::User=', '-o', 'Debug::NoLocking=1'];
      await execute('apt-get', ['-q', ...own, 'update']);
      await execute('apt-get', ['-q', ...own, 'download', 'nats-server']);
    }
    const archive = readdirSync(work).find((name) => name.startsWith('nats-server_') && name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get reported success but left no package');
    await execute('dpkg', ['-x', archive, 'unpacked']);
    const binary = ['usr/sbin/nats-server', 'usr/bin/nats-server'].map((name) => path.join(work, 'unpacked', name)).find(existsSync);
    if (binary === undefined) throw new Error(`${archive} holds no nats-server`);
    renameSync(binary, target);
    onProgress(`nats-server is in ${target}`);
  } catch (cause) {
    throw new StartError('NATS_SERVER_MISSING', `There is no nats-server on PATH, and fetching Debian's failed: ${lastLine(cause)}`, ADVICE, { cause });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** First executable of that name on the environment's PATH, then in `more`. */
export function findOnPath(name: string, env: Environment, more: readonly string[] = []): string | undefined {
  const folders = [...(env.PATH ?? '').split(path.delimiter), ...more];
  return folders
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

/** True for a file that we may execute. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours to execute: the caller looks elsewhere
  }
}

function lastLine(cause: unknown): string {
  const text = (cause as { stderr?: string }).stderr || (cause instanceof Error ? cause.message : String(cause));
  return text.trim().split('\n').at(-1) ?? '';
}
