import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { type GuardedProcess, startGuarded } from './guarded-process.js';
import { findPostgres, isRoot, isTraversable, type PostgresBinaries, UNPRIVILEGED } from './postgres-binary.js';
import { readPrivate, writePrivate } from './private-file.js';
import { endProcess, findWorkingIn, signalProcess } from './process-identity.js';
import { ReadyLog } from './ready-log.js';
import { StartError } from './start-error.js';

const run = promisify(execFile);

export interface PostgresOptions {
  /** The data folder is made inside; with root it must be reachable for uid 65534 (every folder above `o+x`). */
  readonly dir: string;
  /** Loopback port; absent or 0: a free one. */
  readonly port?: number;
  /** false trades durability in a power cut for speed (tests). A killed server loses nothing either way. Default true. */
  readonly fsync?: boolean;
  readonly maxConnections?: number;
  /** Default: what {@link findPostgres} finds. */
  readonly binaries?: PostgresBinaries;
  readonly onLog?: (text: string) => void;
}

export interface PostgresServer {
  readonly port: number;
  readonly process: GuardedProcess;
  /** Superuser URL of a database on this server; default `postgres`. */
  url(database?: string): string;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 4_000;

/**
 * Starts Postgres on loopback with the data in `<dir>/data`, made on the first call. Clients sign in with a password kept in
 * `<dir>/password` (0600). As root the server runs as uid 65534. Whatever a killed predecessor left (processes, `postmaster.pid`) is removed
 * first; crash recovery is Postgres's own. Rejects with {@link StartError}.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const binaries = options.binaries ?? findPostgres();
  const account = isRoot() ? UNPRIVILEGED : undefined;
  const dataDir = path.join(options.dir, 'data');
  prepareFolder(options.dir, account);
  const password = await initialise(binaries.initdb, options.dir, dataDir, account);
  await clearLeftovers(dataDir);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    try {
      return await startOn(port, binaries.postgres, dataDir, password, account, options);
    } catch (error) {
      if (options.port || attempt >= 3 || !(error instanceof StartError) || error.code !== 'PORT_TAKEN') throw error;
    }
  }
}

type Account = { readonly uid: number; readonly gid: number } | undefined;

function prepareFolder(dir: string, account: Account): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (account === undefined) return;
  if (statSync(dir).uid !== account.uid) chownSync(dir, account.uid, account.gid);
  chmodSync(dir, 0o700);
  if (!isTraversable(path.dirname(path.resolve(dir)))) {
    throw new StartError(
      'STATE_UNREADABLE',
      `Postgres cannot run as root, and uid ${account.uid} cannot reach ${dir}: a folder above it is closed for others.`,
      'Name a folder that can be reached (--state or PLEXUS_STATE_DIR), start as an ordinary user, or set DATABASE_URL.',
    );
  }
}

/** Runs initdb once, into a draft that is renamed when complete: a start that was killed half-way begins anew. */
async function initialise(initdb: string, dir: string, dataDir: string, account: Account): Promise<string> {
  const passwordFile = path.join(dir, 'password');
  const existing = readPrivate(passwordFile);
  if (existsSync(path.join(dataDir, 'PG_VERSION')) && existing !== undefined) return existing;
  const password = existing ?? randomBytes(18).toString('base64url');
  writePrivate(passwordFile, password);
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  rmSync(dataDir, { recursive: true, force: true });
  const draft = path.join(dir, 'data.draft');
  rmSync(draft, { recursive: true, force: true });
  const settings = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  try {
    await run(initdb, ['-D', draft, ...settings], { cwd: dir, ...(account ?? {}), env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, timeout: 60_000 });
  } catch (cause) {
    const detail = (cause as { stderr?: string }).stderr?.trim() || String(cause);
    throw new StartError('PROCESS_FAILED', `initdb could not make a database cluster in ${draft}:\n${detail}`, undefined, { cause });
  }
  await run('mv', [draft, dataDir]);
  return password;
}

/**
 * Ends every Postgres process that still works on this data: a postmaster that outlived its guard, or the children of one that was killed,
 * which may take a while to notice. Only when none is left may a pid file that names somebody else be removed: until then it is
 * what keeps two servers off the same data.
 */
async function clearLeftovers(dataDir: string): Promise<void> {
  if (process.platform !== 'linux') return; // elsewhere Postgres's own check has to do
  const working = findWorkingIn(realpathSync(dataDir), 'postgres');
  for (const identity of working) signalProcess(identity, 'SIGINT');
  await Promise.all(working.map((identity) => endProcess(identity, { signal: 'SIGQUIT', graceMs: STOP_GRACE_MS })));
  if (findWorkingIn(realpathSync(dataDir), 'postgres').length === 0) rmSync(path.join(dataDir, 'postmaster.pid'), { force: true });
}

async function startOn(port: number, postgres: string, dataDir: string, password: string, account: Account, options: PostgresOptions): Promise<PostgresServer> {
  const durable = options.fsync !== false;
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: '32MB',
    max_connections: String(options.maxConnections ?? 60),
    max_wal_size: '256MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    dynamic_shared_memory_type: 'posix',
    max_parallel_workers_per_gather: '0',
    autovacuum_max_workers: '1',
    io_method: 'sync',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    full_page_writes: durable ? 'on' : 'off',
  };
  if (!supportsIoMethod(dataDir)) delete settings.io_method;
  const log = new ReadyLog(options.onLog);
  const server = await startGuarded({
    command: postgres,
    args: ['-D', dataDir, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: options.dir,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(account ?? {}),
    stopSignal: 'SIGINT', // "fast": ends sessions, writes a checkpoint
    onOutput: (text) => log.add(text),
  });
  await log.waitFor('database system is ready to accept connections', server, READY_TIMEOUT_MS, 'postgres', port);
  return {
    port,
    process: server,
    url: (database = 'postgres') => `postgresql://postgres:${password}@127.0.0.1:${port}/${database}`,
    stop: () => server.stop(STOP_GRACE_MS),
  };
}

/** Postgres 18 would start I/O workers, three processes that an idle laptop does not need; older versions do not know the setting. */
function supportsIoMethod(dataDir: string): boolean {
  return Number(readFileSync(path.join(dataDir, 'PG_VERSION'), 'utf8')) >= 18;
}
