import { FatalError, TransientError } from './error-classes.js';
import { PlexusError } from './plexus-error.js';

export type RejectionClass = 'abort' | 'fatal' | 'config' | 'transient' | 'unknown';

const FATAL_CODES = new Set([
  'ERR_OUT_OF_MEMORY',
  'ERR_SCRIPT_EXECUTION_TIMEOUT',
  'ERR_WORKER_OUT_OF_MEMORY',
  'ERR_WORKER_UNCAUGHT_EXCEPTION',
  'ERR_WORKER_INITIALIZATION_FAILED',
]);

const CONFIG_CODES = new Set(['INVALID_CONFIG', 'MISSING_API_KEY', 'MISSING_CREDENTIALS']);

const TRANSIENT_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ENOTFOUND',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ECONNABORTED',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DNS_RESOLVE_FAILED',
  'UND_ERR_CONNECT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Our own errors that say "not reachable right now"; INTERNAL is retryable too but means a bug here, so it is not among them. */
const TRANSIENT_STATUSES = new Set([429, 503, 504]);

/** An error graph may be a loop or a very long chain. */
const MAX_DEPTH = 32;

type Fields = { readonly name?: unknown; readonly message?: unknown; readonly code?: unknown; readonly cause?: unknown; readonly errors?: unknown };

/** The fields of anything that was thrown. Getters of foreign objects may throw; that must not hide the original error. */
function fieldsOf(error: unknown): Fields {
  if (error === null || typeof error !== 'object') return {};
  try {
    const { name, message, code, cause, errors } = error as Fields;
    return { name, message, code, cause, errors };
  } catch {
    return {};
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = fieldsOf(error);
  if (typeof code === 'string') return code;
  return typeof code === 'number' ? String(code) : undefined;
}

function ownOrCauseCode(error: unknown): string | undefined {
  return codeOf(error) ?? codeOf(fieldsOf(error).cause);
}

/** Somebody gave up on purpose: name `AbortError`, or the exact message that undici uses. */
export function isAbortError(error: unknown): boolean {
  const { name, message } = fieldsOf(error);
  return name === 'AbortError' || message === 'This operation was aborted';
}

/** A network failure that goes away by itself, judged by codes along the causes and in aggregates. */
export function isTransientNetworkError(error: unknown, depth = 0): boolean {
  if (error === null || typeof error !== 'object' || depth > MAX_DEPTH) return false;
  const code = ownOrCauseCode(error);
  if (code !== undefined && TRANSIENT_CODES.has(code)) return true;
  const { name, message, cause, errors } = fieldsOf(error);
  if (name === 'TypeError' && message === 'fetch failed' && (cause === undefined || cause === null)) return true;
  if (cause !== undefined && cause !== error && isTransientNetworkError(cause, depth + 1)) return true;
  return Array.isArray(errors) && errors.slice(0, 100).some((member) => isTransientNetworkError(member, depth + 1));
}

/**
 * What an unhandled error means for the process. First hit wins: abort, fatal, config, transient, else unknown. Only abort and
 * transient let the process go on.
 */
export function classifyRejection(error: unknown): RejectionClass {
  if (isAbortError(error)) return 'abort';
  const code = ownOrCauseCode(error);
  if (error instanceof FatalError || (code !== undefined && FATAL_CODES.has(code))) return 'fatal';
  if (code !== undefined && CONFIG_CODES.has(code)) return 'config';
  if (fieldsOf(error).name === 'ConfigurationError') return 'config';
  if (error instanceof TransientError || isTransientNetworkError(error)) return 'transient';
  if (PlexusError.isPlexusError(error) && error.retryable && TRANSIENT_STATUSES.has(error.status)) return 'transient';
  return 'unknown';
}
