import type { DatabaseLog } from './database-log.js';

/** One row as the driver returns it: `int8` as number (bigint beyond 2^53), `timestamptz` as Date, `bytea` as Uint8Array, `json` parsed. */
export type Row = Record<string, unknown>;

export interface Queryable {
  /**
   * Runs one statement and returns its rows.
   *
   * `name` identifies the statement for ever (at most 63 bytes): on Postgres it is prepared once per connection under that name, so one
   * name always goes with the same text. JSON parameters are passed as text (`JSON.stringify`), arrays as arrays.
   *
   * Rejects with a `PlexusError` `UNAVAILABLE` when the server cannot be reached (the statement may have taken effect), `TIMEOUT` when the
   * server cancelled it, and with the driver's own error (`code` = SQLSTATE) for everything else.
   */
  query<R = Row>(name: string, text: string, params?: readonly unknown[]): Promise<R[]>;
  /** Runs several statements separated by `;` without parameters, as migrations need it. Not prepared. */
  script(sql: string): Promise<void>;
}

/** One statement of a batch; see {@link Queryable.query} for name and parameters. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly params?: readonly unknown[];
}

/** The statements of one transaction; unusable after it has ended. */
export type Tx = Queryable;

export interface TransactionOptions {
  /** Default: `read committed`. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
}

/** A connection of its own, outside the pool: for session-level locks and notifications. */
export interface DatabaseSession extends Queryable {
  /** Aborts when the connection is lost or closed; session-level locks are gone from then on. */
  readonly lost: AbortSignal;
  /** Calls `handler` for every notification on `channel` from now on. */
  listen(channel: string, handler: (payload: string) => void): Promise<void>;
  /** As {@link Queryable.script}; `timeoutMs` is how long to wait for the end instead of the usual limit: an index may take an hour. */
  script(sql: string, options?: { readonly timeoutMs?: number }): Promise<void>;
  close(): Promise<void>;
}

/** What every service programs against, whether rows live in Postgres or in PGlite. */
export interface Database extends Queryable {
  readonly kind: 'postgres' | 'pglite';
  /** Unqualified names resolve here first, then in `public` (extensions). */
  readonly schema: string;
  /**
   * Runs `fn` in one transaction. A deadlock or serialisation failure runs it again, at most three times; then it ends as `UNAVAILABLE`.
   * `fn` must therefore have no effect outside the transaction. When the connection breaks during the commit the outcome is unknown.
   */
  transaction<T>(fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs statements that need no answers of one another as one transaction, and returns the rows of each: all of them take effect or none, and
   * the first that fails is what the caller sees. They are sent together: on PGlite in one call, on a pool that is `pipelined` without waiting in
   * between, elsewhere one after the other. Names are different within a batch. Conflicts are handled as by `transaction`.
   */
  batch(statements: readonly Statement[], options?: TransactionOptions): Promise<Row[][]>;
  openSession(): Promise<DatabaseSession>;
  /** Rejects with `UNAVAILABLE` unless the server answers. */
  ping(): Promise<void>;
  /** Waits for what is running, then closes every connection. Later calls reject with `UNAVAILABLE`. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgresql://…` or `pglite:<directory>` / `pglite:memory://`. */
  readonly url: string;
  /** Lower-case identifier; created by `migrate`. */
  readonly schema: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Most connections of the pool. Default 8. */
  readonly max?: number;
  /** Most callers that wait for a connection; more are refused with `UNAVAILABLE`. Default 1,000. */
  readonly maxWaiting?: number;
  /** Send the statements of a batch together. A statement that gets no answer in time then costs its connection. Default: false. */
  readonly pipelined?: boolean;
  /** Settings of the server for every connection, such as `plan_cache_mode`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How long to wait for a connection. Default 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /** How long one statement may run. Default 15,000 ms. */
  readonly statementTimeoutMs?: number;
  readonly log?: DatabaseLog;
}
