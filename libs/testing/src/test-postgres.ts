import path from 'node:path';
import { type PostgresBinaries, type PostgresServer, type ProcessIdentity, signalProcess, startPostgres } from '@plexus/local-stack';
import pg from 'pg';
import { migrationsDigest } from './migrations-digest.js';
import { descendants, expectGone } from './process-tree.js';
import { sharedInProcess } from './shared-in-process.js';
import { throwAwayFolder } from './throw-away-folder.js';

export interface TestPostgres {
  readonly port: number;
  /** Pid of the postmaster. */
  readonly pid: number;
  /** Superuser URL of a database; default `postgres`. */
  url(database?: string): string;
  /**
   * Ends the server as `signal` does (default SIGKILL) and waits until it is gone; the data stays. SIGKILL takes every process of the server with it, as a
   * host that dies does: a session outlives its postmaster for as long as it computes, and may still commit.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data, after {@link kill}. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A real Postgres of its own on a free loopback port, for tests that kill or fill the server; others share one through
 * {@link createTestDatabase}. `fsync` as in production unless said otherwise.
 */
export async function startTestPostgres(
  options: { readonly fsync?: boolean; readonly binaries?: PostgresBinaries; readonly onLog?: (text: string) => void } = {},
): Promise<TestPostgres> {
  const folder = throwAwayFolder('postgres');
  const start = (port?: number): Promise<PostgresServer> =>
    startPostgres({ dir: path.join(folder.path, 'pg'), ...options, ...(port === undefined ? {} : { port }) });
  let server = await start();
  server.process.unref();
  return {
    port: server.port,
    get pid() {
      return server.process.identity.pid;
    },
    url: (database) => server.url(database),
    kill: async (signal = 'SIGKILL') => {
      if (signal === 'SIGKILL') await killWithSessions(server.process.identity);
      else server.process.signal(signal);
      await server.process.ended;
    },
    restart: async () => {
      await server.process.ended;
      server = await start(server.port);
      server.process.unref();
    },
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
}

async function killWithSessions(postmaster: ProcessIdentity): Promise<void> {
  signalProcess(postmaster, 'SIGSTOP'); // starts no further session while we look
  const sessions = descendants(postmaster.pid);
  for (const each of [postmaster, ...sessions]) signalProcess(each, 'SIGKILL');
  await expectGone(sessions);
}

export interface TestDatabase {
  /** URL of a database of its own, with the migrations applied. */
  readonly url: string;
  readonly name: string;
  readonly schema: string;
  /** Ends the connections that are left and removes the database. */
  drop(): Promise<void>;
}

/**
 * A fresh database with these migrations applied in `schema`, cloned from a template that is made once per test process and set of
 * migrations: milliseconds instead of a migration run per test file. The server is shared by the test files of one
 * Jest worker and stops with it.
 */
export async function createTestDatabase(migrationsDir?: string, schema = 'public'): Promise<TestDatabase> {
  const server = await sharedInProcess('postgres', async () => {
    const own = await startTestPostgres({ fsync: false });
    return { url: own.url() };
  });
  const template = migrationsDir === undefined ? 'template1' : await templateFor(server.url, migrationsDir, schema);
  const name = `test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  await withClient(server.url, (client) => client.query(`create database ${name} template ${template}`));
  return {
    url: withDatabase(server.url, name),
    name,
    schema,
    drop: () => withClient(server.url, async (client) => void (await client.query(`drop database if exists ${name} with (force)`))),
  };
}

async function templateFor(adminUrl: string, migrationsDir: string, schema: string): Promise<string> {
  const digest = migrationsDigest(migrationsDir, schema);
  const template = `template_${schema}_${digest}`;
  await withClient(adminUrl, async (client) => {
    await client.query('select pg_advisory_lock(hashtext($1))', [template]); // two callers at once; ends with the session
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template]);
    if (rowCount === 1) return;
    // Built under another name: a failed migration must not leave a template that looks complete.
    await client.query(`drop database if exists draft_${digest} with (force)`);
    await client.query(`create database draft_${digest}`);
    const { migrate } = await import('@plexus/database'); // only tests with migrations pay for it
    await migrate({ url: withDatabase(adminUrl, `draft_${digest}`), schema, directory: migrationsDir });
    await client.query(`alter database draft_${digest} rename to ${template}`);
  });
  return template;
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
