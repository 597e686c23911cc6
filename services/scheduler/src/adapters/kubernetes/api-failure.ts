import { ProviderError } from '../../application/provider-port.js';

/** One answer of the API server that is no success, or the lack of an answer (`status` undefined). */
export interface ApiFailure {
  readonly status: number | undefined;
  /** `reason` of the Status object: `AlreadyExists`, `Conflict`, `Forbidden`, … */
  readonly reason: string | undefined;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** A call that failed for good. Holds no headers and no bodies: those of Secrets would be in them. */
export class ApiCallError extends Error {
  override readonly name = 'ApiCallError';

  constructor(
    readonly what: string,
    readonly failure: ApiFailure,
  ) {
    super(`${what}: ${failure.status === undefined ? '' : `${failure.status} `}${failure.message}`);
  }
}

const LONGEST_MESSAGE = 500;
const QUOTA = /exceeded quota|must specify (limits|requests)/;
const FOR_EVER = /violates PodSecurity|(maximum|minimum) .* usage per|No (maximum|minimum)/i;

interface ResponseLike {
  readonly code: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads what the client throws: an answer with a status, or why there was none. */
export function readFailure(error: unknown): ApiFailure {
  if (isResponse(error)) {
    const status = statusOf(error.body);
    return {
      status: error.code,
      reason: text(status?.reason),
      message: shorten(text(status?.message) ?? `the API server answered ${error.code}`),
      retryAfterMs: retryAfterOf(error.headers, status),
    };
  }
  // `fetch failed` says nothing, its cause does.
  const { cause, message } = error as { cause?: { message?: string }; message?: string };
  return { status: undefined, reason: undefined, message: shorten(cause?.message || message || String(error)), retryAfterMs: undefined };
}

function isResponse(error: unknown): error is ResponseLike {
  return typeof error === 'object' && error !== null && typeof (error as { code?: unknown }).code === 'number' && 'body' in error;
}

function statusOf(body: unknown): Record<string, unknown> | undefined {
  if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  if (typeof body !== 'string') return undefined;
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // a proxy in between says it in words or HTML
  }
}

function retryAfterOf(headers: ResponseLike['headers'], status: Record<string, unknown> | undefined): number | undefined {
  const header = headers?.['retry-after'];
  const details = status?.details as { retryAfterSeconds?: unknown } | undefined;
  const seconds = header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : details?.retryAfterSeconds;
  return typeof seconds === 'number' && seconds >= 0 ? seconds * 1_000 : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function shorten(message: string): string {
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
}

/** Another try may do better: no answer, too many requests, a fault of the server, or two writers of the same quota object. */
export function isTransient({ status, reason, message }: ApiFailure): boolean {
  if (status === undefined || status === 429 || status >= 500) return true;
  return status === 409 && reason === 'Conflict' && message.includes('resourcequotas');
}

export function hasStatus(error: unknown, status: number, reason?: string): boolean {
  return error instanceof ApiCallError && error.failure.status === status && (reason === undefined || error.failure.reason === reason);
}

export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);
export const alreadyExists = (error: unknown): boolean => hasStatus(error, 409, 'AlreadyExists');
/** The precondition did not hold: what is there is not what was named. */
export const isConflict = (error: unknown): boolean => hasStatus(error, 409) && !alreadyExists(error);
export const isExpired = (error: unknown): boolean => hasStatus(error, 410);

/** What a failed call means for a VM. */
export function asProviderError(error: unknown): unknown {
  if (!(error instanceof ApiCallError)) return error;
  const { status, message, retryAfterMs } = error.failure;
  const as = (code: ProviderError['code']): ProviderError =>
    new ProviderError(code, error.message, { cause: error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  if (isTransient(error.failure) || status === 401) return as('UNAVAILABLE');
  if (status === 403 && QUOTA.test(message)) return as('QUOTA');
  if (status === 400 || status === 422 || (status === 403 && FOR_EVER.test(message))) return as('INVALID_SPEC');
  return as('START_FAILED');
}
