import pg from 'pg';
import type { DatabaseSession, Row } from './database.js';
import { isConnectionFailure, translateDatabaseError } from './database-errors.js';
import type { DatabaseLog } from './database-log.js';
import { sqlIdentifier } from './database-url.js';
import { runStatement } from './postgres-connection.js';

/** Opens one connection outside the pool. */
export async function openPostgresSession(config: pg.ClientConfig, log: DatabaseLog): Promise<DatabaseSession> {
  const client = new pg.Client(config);
  const session = new PostgresSession(client, log);
  try {
    await client.connect();
  } catch (error) {
    await session.close();
    throw translateDatabaseError(error);
  }
  return session;
}

class PostgresSession implements DatabaseSession {
  readonly #lost = new AbortController();
  readonly #handlers = new Map<string, (payload: string) => void>();
  readonly #client: pg.Client;
  #closed: Promise<void> | undefined;

  constructor(client: pg.Client, log: DatabaseLog) {
    this.#client = client;
    client.on('error', (error) => {
      if (this.#closed === undefined) log.warn({ err: error }, 'a dedicated database connection was lost');
      this.#lost.abort(error);
    });
    client.on('end', () => this.#lost.abort());
    client.on('notification', ({ channel, payload }) => this.#handlers.get(channel)?.(payload ?? ''));
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async query<R = Row>(name: string, text: string, params: readonly unknown[] = []): Promise<R[]> {
    return this.#run(() => runStatement<R>(this.#client, name, text, params));
  }

  async script(sql: string, { timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    // The driver takes its time limit per query as well, which its types do not say.
    const query: pg.QueryConfig & { readonly query_timeout?: number } = { text: sql, ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }) };
    await this.#run(() => this.#client.query(query));
  }

  async listen(channel: string, handler: (payload: string) => void): Promise<void> {
    this.#handlers.set(channel, handler);
    await this.script(`LISTEN ${sqlIdentifier(channel)}`);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#lost.abort();
    try {
      await this.#client.end();
    } catch {
      // A connection that is already broken cannot say goodbye; it is gone either way.
    }
  }

  async #run<T>(statement: () => Promise<T>): Promise<T> {
    try {
      return await statement();
    } catch (error) {
      if (isConnectionFailure(error)) this.#lost.abort(error);
      throw translateDatabaseError(error);
    }
  }
}
