import pg from 'pg';
import type { DatabaseOptions, Row, TransactionOptions } from './database.js';
import { sqlIdentifier } from './database-url.js';

/** The client gives up on an answer this much later than the server should have cancelled the statement: then the way to it is dead. */
const QUERY_TIMEOUT_MARGIN_MS = 5_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;
const INT8_OID = 20;

/** Everything one connection is opened with; the same for pooled connections and for sessions of their own. */
export function sessionConfig(connectionString: string, options: DatabaseOptions): pg.ClientConfig {
  const statementTimeoutMs = options.statementTimeoutMs ?? 15_000;
  return {
    connectionString,
    application_name: options.applicationName,
    options: settingsOf({ search_path: searchPath(options.schema), ...options.settings }),
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
  };
}

/** As the startup message takes them: spaces and backslashes escaped. */
function settingsOf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, String.raw`\$&`)}`)
    .join(' ');
}

/** The service's schema, then `public`, where extensions usually live. */
export function searchPath(schema: string): string {
  return schema === 'public' ? 'public' : `${sqlIdentifier(schema)},public`;
}

export async function runStatement<R = Row>(client: pg.ClientBase, name: string, text: string, params: readonly unknown[]): Promise<R[]> {
  const result = await client.query({ name, text, values: params as unknown[] });
  return result.rows as R[];
}

/** What follows `BEGIN` or `SET TRANSACTION`; empty for the defaults. */
export function transactionCharacteristics(options: TransactionOptions): string {
  const isolation = options.isolation === undefined ? '' : ` ISOLATION LEVEL ${options.isolation.toUpperCase()}`;
  return `${isolation}${options.readOnly === true ? ' READ ONLY' : ''}`;
}

/** `int8` arrives as text; counts and sequence numbers fit into a double, what does not becomes a bigint. PGlite does the same. */
function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === INT8_OID && format !== 'binary' ? parseInt8 : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;
