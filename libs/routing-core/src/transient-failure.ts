/** The fields of anything that was thrown, as far as classification looks. */
export interface ErrorFields {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly cause?: unknown;
  readonly reason?: unknown;
  readonly error?: unknown;
  readonly errors?: unknown;
}

const FIELDS = ['name', 'message', 'code', 'errno', 'status', 'statusCode', 'cause', 'reason', 'error', 'errors'] as const;

/** Reads the fields of a foreign object. A getter that throws hides its own field, not the error. */
export function fieldsOf(error: unknown): ErrorFields {
  if (error === null || typeof error !== 'object') return {};
  const fields: Record<string, unknown> = {};
  for (const field of FIELDS) {
    try {
      fields[field] = (error as ErrorFields)[field];
    } catch {
      // what cannot be read says nothing
    }
  }
  return fields;
}

/** Codes of failures that go away by themselves. */
export const TRANSIENT_CODES: ReadonlySet<string> = new Set(
  `ECONNRESET ECONNREFUSED ENOTFOUND ETIMEDOUT ESOCKETTIMEDOUT ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETRESET EAI_AGAIN EPROTO
   UND_ERR_CONNECT_TIMEOUT UND_ERR_DNS_RESOLVE_FAILED UND_ERR_CONNECT UND_ERR_SOCKET UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT
   ERR_SSL_WRONG_VERSION_NUMBER ERR_SSL_PROTOCOL_RETURNED_AN_ERROR`.split(/\s+/),
);
/** A locked database file lets go in a moment. */
const BUSY_CODES = new Set(['SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_BUSY_SNAPSHOT', 'SQLITE_IOERR_BLOCKED']);
const TRANSIENT_NAMES = new Set(['AbortError', 'ConnectTimeoutError', 'HeadersTimeoutError', 'BodyTimeoutError', 'SocketError', 'TimeoutError']);
const TRANSIENT_TEXT =
  /fetch failed|socket hang up|network (?:error|is unreachable)|connection (?:reset|refused|timed out|closed)|client network socket disconnected|getaddrinfo|database is locked|\be(?:connreset|connrefused|timedout|hostunreach|netunreach|ai_again|pipe|notfound)\b/i;

/** An error graph may be a circle or a very long chain. */
const MAX_DEPTH = 32;
const MAX_MEMBERS = 100;
const MAX_TEXT = 8_192;

/**
 * True when a failure of the network, or a database that is busy, is likely to be over at the next attempt: by code (any case), by
 * name, by its words, along causes and in aggregates. Wider than the policy for unhandled rejections, because here a wrong yes costs one
 * more attempt and there it keeps a broken process alive.
 */
export function isTransientFailure(error: unknown, depth = 0): boolean {
  if (error === null || typeof error !== 'object' || depth > MAX_DEPTH) return false;
  const { name, message, code, errno, cause, errors } = fieldsOf(error);
  for (const value of [code, errno]) {
    const word = typeof value === 'string' ? value.trim().toUpperCase() : '';
    if (TRANSIENT_CODES.has(word) || BUSY_CODES.has(word)) return true;
  }
  if (typeof name === 'string' && TRANSIENT_NAMES.has(name)) return true;
  if (typeof message === 'string' && TRANSIENT_TEXT.test(message.slice(0, MAX_TEXT))) return true;
  if (cause !== error && isTransientFailure(cause, depth + 1)) return true;
  return Array.isArray(errors) && errors.slice(0, MAX_MEMBERS).some((member) => isTransientFailure(member, depth + 1));
}
