import { mkdirSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { vector } from '@electric-sql/pglite-pgvector';
import type { Database, DatabaseOptions, DatabaseSession, Row, Statement, TransactionOptions, Tx } from './database.js';
import { translateDatabaseError, unavailable } from './database-errors.js';
import { sqlIdentifier } from './database-url.js';
import { lockDirectory } from './pglite-directory-lock.js';
import { initialiseDirectory } from './pglite-initialise.js';
import { PgliteSession } from './pglite-session.js';
import { searchPath, transactionCharacteristics } from './postgres-connection.js';

/** What PGlite starts with, and a quarter of the pages that its default keeps in memory: all of them count as resident from the start. */
const START = [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'];

export interface PgliteOptions extends Pick<DatabaseOptions, 'schema'> {
  /** A data directory that was dumped before (`dump`): starts in under a second instead of several. */
  readonly loadDataDir?: Blob;
}

/** {@link Database} on PGlite, inside this process. Statements and transactions run one after another. */
export interface PgliteDatabase extends Database {
  readonly kind: 'pglite';
  /** The whole data directory as one file, for `loadDataDir`. */
  dump(): Promise<Blob>;
}

/**
 * Opens PGlite with pgvector and pg_trgm available (`CREATE EXTENSION` is its user's job). `directory` is a path or `memory://`.
 * One process at a time may open a directory; a second one is refused with an error that names the first.
 */
export async function openPglite(directory: string, options: PgliteOptions): Promise<PgliteDatabase> {
  const path = searchPath(options.schema);
  const inMemory = directory.startsWith('memory://');
  if (!inMemory) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = inMemory ? () => undefined : lockDirectory(directory);
  try {
    if (!inMemory) await initialiseDirectory(directory);
    const lite = await PGlite.create({
      dataDir: directory,
      extensions: { vector, pg_trgm },
      startParams: START,
      ...(options.loadDataDir ? { loadDataDir: options.loadDataDir } : {}),
    });
    await lite.exec(`SET search_path TO ${path}`);
    return new EmbeddedPostgres(lite, options.schema, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

class EmbeddedPostgres implements PgliteDatabase {
  readonly kind = 'pglite';
  readonly schema: string;
  readonly #lite: PGlite;
  readonly #session: PgliteSession;
  readonly #unlock: () => void;
  #closed: Promise<void> | undefined;

  constructor(lite: PGlite, schema: string, unlock: () => void) {
    this.#lite = lite;
    this.#session = new PgliteSession(lite);
    this.schema = schema;
    this.#unlock = unlock;
  }

  query<R = Row>(_name: string, text: string, params: readonly unknown[] = []): Promise<R[]> {
    return this.#alone(() => this.#session.query<R>(text, params));
  }

  script(sql: string): Promise<void> {
    return this.#alone(() => this.#session.script(sql));
  }

  transaction<T>(fn: (tx: Tx) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#alone(async () => {
      await this.#session.control(`BEGIN${transactionCharacteristics(options)}`);
      const tx = new EmbeddedTransaction(this.#session);
      try {
        const result = await fn(tx);
        tx.end();
        await this.#session.control('COMMIT');
        return result;
      } catch (error) {
        tx.end();
        await this.#session.control('ROLLBACK');
        throw error;
      }
    });
  }

  batch(statements: readonly Statement[], options: TransactionOptions = {}): Promise<Row[][]> {
    return this.#alone(() => this.#session.batch(statements, `BEGIN${transactionCharacteristics(options)}`));
  }

  async openSession(): Promise<DatabaseSession> {
    this.#requireOpen();
    return new EmbeddedSession(this, this.#lite);
  }

  async ping(): Promise<void> {
    await this.query('plexus_ping', 'SELECT 1');
  }

  dump(): Promise<Blob> {
    this.#requireOpen();
    return this.#lite.dumpDataDir('none');
  }

  close(): Promise<void> {
    this.#closed ??= this.#lite.close().finally(this.#unlock);
    return this.#closed;
  }

  /** Nothing else of this database meanwhile: it has one session. */
  async #alone<T>(run: () => Promise<T>): Promise<T> {
    this.#requireOpen();
    try {
      return await this.#lite._runExclusiveTransaction(run);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw unavailable('The database is closed.');
  }
}

class EmbeddedTransaction implements Tx {
  #session: PgliteSession | undefined;

  constructor(session: PgliteSession) {
    this.#session = session;
  }

  async query<R = Row>(_name: string, text: string, params: readonly unknown[] = []): Promise<R[]> {
    return this.#open().query<R>(text, params);
  }

  async script(sql: string): Promise<void> {
    await this.#open().script(sql);
  }

  end(): void {
    this.#session = undefined;
  }

  #open(): PgliteSession {
    if (this.#session === undefined) throw new Error('this transaction has ended; a statement was not awaited inside it');
    return this.#session;
  }
}

/** PGlite has one session for everybody; this only gives it a life of its own. */
class EmbeddedSession implements DatabaseSession {
  readonly #lost = new AbortController();
  readonly #database: Database;
  readonly #lite: PGlite;
  readonly #unlisten: (() => Promise<void>)[] = [];

  constructor(database: Database, lite: PGlite) {
    this.#database = database;
    this.#lite = lite;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  query<R = Row>(name: string, text: string, params?: readonly unknown[]): Promise<R[]> {
    return this.#database.query<R>(name, text, params);
  }

  script(sql: string): Promise<void> {
    return this.#database.script(sql);
  }

  async listen(channel: string, handler: (payload: string) => void): Promise<void> {
    this.#unlisten.push(await this.#lite.listen(sqlIdentifier(channel), handler));
  }

  async close(): Promise<void> {
    this.#lost.abort();
    if (this.#lite.closed) return;
    await Promise.all(this.#unlisten.splice(0).map((unlisten) => unlisten()));
  }
}
