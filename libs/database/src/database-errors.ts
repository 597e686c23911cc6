import { createErrorRegistry, PlexusError } from '@plexus/kernel';

/** The codes this library raises, worded as in the table of public error codes. */
const errors = createErrorRegistry({
  UNAVAILABLE: { status: 503, retryable: true, sentence: 'Something this needs is not reachable right now; try again.' },
  TIMEOUT: { status: 504, retryable: true, sentence: 'No answer came in time; it may still have taken effect.' },
});

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

/** Sentences of `pg` and `pg-pool` that come without a code. */
const CONNECTION_SENTENCE =
  /Connection terminated|Client has encountered a connection error|Client was closed and is not queryable|timeout exceeded when trying to connect|Query read timeout|Cannot use a pool after calling end|connection is closed|PGlite is closed/i;

/**
 * Class 08 connection exceptions, 57P0x shut-downs and start-up, 53300 too many connections, other class 53 shortages,
 * 25006: a standby answers where the primary should (failover going on).
 */
const CONNECTION_STATE = /^(08...|57P0[1-4]|53...|25006)$/;

const QUERY_CANCELED = '57014';
const LOCK_NOT_AVAILABLE = '55P03';
const MAX_CAUSES = 8;

/** SQLSTATE or system error code of the error or of the nearest cause that has one. */
export function errorCodeOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && typeof current === 'object' && current !== null; depth += 1) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === 'string' && !PlexusError.isPlexusError(current)) return code;
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}

/** True when a unique constraint was violated; with `constraint`, only that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (errorCodeOf(error) !== '23505') return false;
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint;
}

/** True for a deadlock or a serialisation failure: the transaction had no effect and may simply run again. */
export function isTransactionConflict(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === '40001' || code === '40P01';
}

/** True when the connection that raised this must not be used again. */
export function isConnectionFailure(error: unknown): boolean {
  const code = errorCodeOf(error);
  if (code !== undefined && (NETWORK_CODES.has(code) || CONNECTION_STATE.test(code))) return true;
  return error instanceof Error && CONNECTION_SENTENCE.test(error.message);
}

/** Turns failures of the server or the way to it into `PlexusError`s; every other error is returned as it is. */
export function translateDatabaseError(error: unknown): unknown {
  if (PlexusError.isPlexusError(error)) return error;
  if (isConnectionFailure(error)) return unavailable('The database cannot be reached right now; try again.', error);
  const code = errorCodeOf(error);
  if (code === QUERY_CANCELED) return errors.create('TIMEOUT', { message: 'The database cancelled a statement that took too long.', cause: error });
  if (code === LOCK_NOT_AVAILABLE) return unavailable('A database lock was not free in time; try again.', error);
  return error;
}

export function unavailable(message: string, cause?: unknown): PlexusError {
  return errors.create('UNAVAILABLE', { message, ...(cause === undefined ? {} : { cause }) });
}
