import type { Writable } from 'node:stream';
import { fullJitter, systemClock } from '@plexus/kernel';
import { counter, histogram } from '@plexus/telemetry';
import pg from 'pg';
import type { Database, DatabaseOptions, DatabaseSession, Row, Statement, TransactionOptions, Tx } from './database.js';
import { isConnectionFailure, isTransactionConflict, translateDatabaseError, unavailable } from './database-errors.js';
import { type DatabaseLog, silentLog } from './database-log.js';
import { parseDatabaseUrl } from './database-url.js';
import { runStatement, sessionConfig, transactionCharacteristics } from './postgres-connection.js';
import { openPostgresSession } from './postgres-session.js';

/** A connection that was used so recently is taken to be alive. */
const SURELY_ALIVE_MS = 250;
const CONFLICT_RETRIES = 3;
const CONFLICT_BACKOFF = { baseMs: 20, capMs: 250 };

const querySeconds = histogram('databaseSeconds');
const transactions = counter('databaseTransactions');

/** {@link Database} on a pool of Postgres connections. */
export interface PostgresDatabase extends Database {
  readonly kind: 'postgres';
  /** The pool itself, for libraries that want one (Prisma's adapter). */
  readonly pool: pg.Pool;
}

/** Creates a pool. No connection is made before the first statement, so this succeeds while the server is down. */
export function createPool(options: DatabaseOptions): PostgresDatabase {
  return new PooledPostgres(options);
}

class PooledPostgres implements PostgresDatabase {
  readonly kind = 'postgres';
  readonly schema: string;
  readonly pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #log: DatabaseLog;
  readonly #maxWaiting: number;
  readonly #pipelined: boolean;
  readonly #usedAt = new WeakMap<pg.PoolClient, number>();
  #closed: Promise<void> | undefined;

  constructor(options: DatabaseOptions) {
    const target = parseDatabaseUrl(options.url);
    if (target.kind !== 'postgres') throw new TypeError('createPool takes a postgresql:// URL; createDatabase also takes pglite:');
    this.schema = options.schema;
    this.#log = options.log ?? silentLog;
    this.#maxWaiting = options.maxWaiting ?? 1_000;
    this.#pipelined = options.pipelined ?? false;
    this.#config = sessionConfig(target.connectionString, options);
    this.pool = new pg.Pool({
      ...this.#config,
      pipeline: this.#pipelined,
      max: options.max ?? 8,
      idleTimeoutMillis: 60_000,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    } as pg.PoolConfig);
    this.pool.on('error', (error) => this.#connectionLost(error));
    // A client that is checked out but idle (inside a transaction) reports here and nowhere else; unheard it would end the process.
    this.pool.on('connect', (client) => client.on('error', (error) => this.#connectionLost(error)));
  }

  async query<R = Row>(name: string, text: string, params: readonly unknown[] = []): Promise<R[]> {
    const startedAt = systemClock.monotonic();
    const rows = await this.#withClient((client) => runStatement<R>(client, name, text, params));
    querySeconds.record((systemClock.monotonic() - startedAt) / 1_000);
    return rows;
  }

  async script(sql: string): Promise<void> {
    await this.#withClient((client) => client.query(sql));
  }

  transaction<T>(fn: (tx: Tx) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withoutConflicts(() => this.#runTransaction(fn, options));
  }

  batch(statements: readonly Statement[], options: TransactionOptions = {}): Promise<Row[][]> {
    const [only] = statements;
    // One statement is a transaction of its own.
    if (only !== undefined && statements.length === 1 && transactionCharacteristics(options) === '')
      return this.#withoutConflicts(async () => [await this.query(only.name, only.text, only.params)]);
    if (this.#pipelined) return this.#withoutConflicts(() => this.#runBatch(statements, options));
    return this.transaction(async (tx) => {
      const results: Row[][] = [];
      for (const { name, text, params } of statements) results.push(await tx.query(name, text, params));
      return results;
    }, options);
  }

  openSession(): Promise<DatabaseSession> {
    if (this.#closed) return Promise.reject(unavailable('The database connection is closed.'));
    return openPostgresSession(this.#config, this.#log);
  }

  async ping(): Promise<void> {
    await this.query('plexus_ping', 'SELECT 1');
  }

  close(): Promise<void> {
    this.#closed ??= this.pool.end();
    return this.#closed;
  }

  /** Runs a transaction again that was the victim of another. */
  async #withoutConflicts<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const result = await run();
        transactions.add(1, { outcome: 'committed' });
        return result;
      } catch (error) {
        const conflict = isTransactionConflict(error);
        transactions.add(1, { outcome: conflict ? 'retried' : 'rolled-back' });
        if (!conflict) throw error;
        if (attempt === CONFLICT_RETRIES) throw unavailable('The same rows are being changed by too many at once; try again.', error);
        await systemClock.sleep(fullJitter(attempt + 1, CONFLICT_BACKOFF));
      }
    }
  }

  /** After a failure the server refuses what follows, and makes a rollback of the commit. */
  async #runBatch(statements: readonly Statement[], options: TransactionOptions): Promise<Row[][]> {
    const begin = `BEGIN${transactionCharacteristics(options)}`;
    let client = await this.#connect();
    const known = systemClock.monotonic() - (this.#usedAt.get(client) ?? Number.NEGATIVE_INFINITY) < SURELY_ALIVE_MS;
    // What rested may have died unnoticed: then the beginning is waited for, which can be repeated, as nothing has happened yet.
    if (!known) {
      client.release();
      client = await this.#begin(begin);
    }
    const answers = await sentTogether(client, () =>
      Promise.allSettled([
        known ? client.query(begin).then(() => []) : [],
        ...statements.map(({ name, text, params }) => runStatement(client, name, text, params ?? [])),
        client.query('COMMIT').then(() => []),
      ]),
    );
    this.#usedAt.set(client, systemClock.monotonic());
    const failure = answers.find((answer) => answer.status === 'rejected');
    client.release(answers.some((answer) => answer.status === 'rejected' && isConnectionFailure(answer.reason)));
    if (failure !== undefined) throw translateDatabaseError(failure.reason);
    return answers.slice(1, -1).map((answer) => (answer as PromiseFulfilledResult<Row[]>).value);
  }

  async #runTransaction<T>(fn: (tx: Tx) => Promise<T>, options: TransactionOptions): Promise<T> {
    const client = await this.#begin(`BEGIN${transactionCharacteristics(options)}`);
    const tx = new PostgresTransaction(client);
    try {
      const result = await fn(tx);
      tx.end();
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      tx.end();
      client.release(await rollBack(client, error));
      throw translateDatabaseError(error);
    }
  }

  /** Checks a client out and begins; a pooled connection that died unnoticed is replaced once, as nothing has happened on it yet. */
  async #begin(statement: string): Promise<pg.PoolClient> {
    for (let attempt = 0; ; attempt += 1) {
      const client = await this.#connect();
      try {
        await client.query(statement);
        return client;
      } catch (error) {
        client.release(true);
        if (attempt > 0 || !isConnectionFailure(error)) throw translateDatabaseError(error);
      }
    }
  }

  async #withClient<T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    try {
      const result = await run(client);
      client.release();
      return result;
    } catch (error) {
      // Only a broken connection is thrown away: an ordinary SQL error must not cost a reconnect.
      client.release(isConnectionFailure(error));
      throw translateDatabaseError(error);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.pool.waitingCount >= this.#maxWaiting) throw unavailable('Too many requests wait for the database; try again.');
    try {
      return await this.pool.connect();
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  #connectionLost(error: Error): void {
    this.#log.warn({ err: error, schema: this.schema }, 'a database connection was lost; the next statement opens a new one');
  }
}

/** What `send` writes leaves in one piece: each write to a socket costs more than most statements. The driver's types do not know its connection. */
function sentTogether<T>(client: pg.PoolClient, send: () => Promise<T>): Promise<T> {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Writable } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

/** Returns true when the client must be thrown away. */
async function rollBack(client: pg.PoolClient, failure: unknown): Promise<boolean> {
  if (isConnectionFailure(failure)) return true;
  try {
    await client.query('ROLLBACK');
    return false;
  } catch {
    // The first failure is what the caller must see; a connection that cannot even roll back is thrown away, which rolls back as well.
    return true;
  }
}

class PostgresTransaction implements Tx {
  #client: pg.PoolClient | undefined;

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  async query<R = Row>(name: string, text: string, params: readonly unknown[] = []): Promise<R[]> {
    return runStatement<R>(this.#open(), name, text, params);
  }

  async script(sql: string): Promise<void> {
    await this.#open().query(sql);
  }

  end(): void {
    this.#client = undefined;
  }

  #open(): pg.PoolClient {
    if (this.#client === undefined) throw new Error('this transaction has ended; a statement was not awaited inside it');
    return this.#client;
  }
}
