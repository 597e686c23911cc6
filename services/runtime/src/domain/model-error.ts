import { type ErrorPayload, isTransientNetworkError, PlexusError, readErrorPayload, recogniseErrorPayload } from '@plexus/kernel';
import { limitNamedIn, saysTooLong } from './context-overflow.js';

/** Why a model call failed, as far as it matters for what to do next. */
export type ModelErrorReason =
  | 'auth'
  | 'billing'
  | 'rate_limit'
  | 'overloaded'
  | 'timeout'
  | 'unreachable'
  | 'context_overflow'
  | 'bad_request'
  | 'unknown_model'
  | 'unknown';

export interface ModelError {
  readonly reason: ModelErrorReason;
  readonly status?: number;
  /** The endpoint's own wish, in milliseconds. */
  readonly retryAfterMs?: number;
  /** With `context_overflow`: the limit that the endpoint names, in tokens. */
  readonly limitTokens?: number;
}

const MAX_CAUSES = 8;
const MAX_TEXT = 4_000;
const TIMEOUT_CODES = /^(?:ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/;

const BILLING = /insufficient[_ ](?:quota|credit|fund|balance)|exceeded your current quota|credit balance|out of credits|payment required|billing/i;
const AUTH = /invalid[_ ]api[_ ]key|incorrect api key|authentication|unauthori[sz]ed|permission[_ ]denied/i;
const UNKNOWN_MODEL =
  /model[_ ]not[_ ](?:found|exist)|unknown[_ ]model|invalid[_ ]model|no such model|\bmodel\b.{0,120}(?:not found|does not exist|doesn't exist|is not (?:available|supported))/is;
const RATE_LIMIT = /rate[_ ]limit|too many requests|(?:tokens|requests) per (?:second|minute|hour|day)|resource[_ ]exhausted/i;
const OVERLOADED = /overloaded|server[_ ]busy|at capacity|temporarily unavailable|server had an error/i;

interface Fields {
  readonly statusCode?: unknown;
  readonly responseBody?: unknown;
  readonly responseHeaders?: unknown;
  readonly data?: unknown;
  readonly cause?: unknown;
  readonly code?: unknown;
  readonly name?: unknown;
}

/** What an endpoint said, put together from wherever a client library leaves it. */
interface Said {
  readonly payload: ErrorPayload;
  readonly status?: number | undefined;
  /** Message, code and type, to be searched for words. */
  readonly text: string;
}

/** Reads whatever a model call threw, or an error that came within its stream. Never throws. `nowMs` is the wall clock, for dates in headers. */
export function classifyModelError(error: unknown, nowMs: number): ModelError {
  const said = saidBy(error);
  const reason = reasonOf(error, said);
  const retryAfterMs = wishedWait(fieldsOf(error).responseHeaders, said.text, nowMs);
  const limitTokens = reason === 'context_overflow' ? limitNamedIn(said.text) : undefined;
  return {
    reason,
    ...(said.status !== undefined && { status: said.status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(limitTokens !== undefined && { limitTokens }),
  };
}

function reasonOf(error: unknown, { status, text }: Said): ModelErrorReason {
  // A limit per minute is told in words about tokens too, so it is looked for first.
  if (RATE_LIMIT.test(text) && !BILLING.test(text)) return 'rate_limit';
  if (saysTooLong(text)) return 'context_overflow';
  if (status === 402 || (BILLING.test(text) && (status === undefined || status < 500))) return 'billing';
  if (UNKNOWN_MODEL.test(text) && (status === undefined || (status >= 400 && status < 500 && status !== 401))) return 'unknown_model';
  if (status !== undefined) return forStatus(status, text);
  if (AUTH.test(text)) return 'auth';
  if (OVERLOADED.test(text)) return 'overloaded';
  return withoutAnswer(error, text);
}

function forStatus(status: number, text: string): ModelErrorReason {
  if (status === 401 || status === 403) return 'auth';
  if (status === 404) return 'unknown_model';
  if (status === 408 || status === 504) return 'timeout';
  // Payload too large, without another word: the request is too long for somebody on the way.
  if (status === 413) return 'context_overflow';
  if (status === 429) return 'rate_limit';
  if (status >= 500 || status === 409 || status === 425 || OVERLOADED.test(text)) return 'overloaded';
  return AUTH.test(text) ? 'auth' : 'bad_request';
}

/** No status: the connection broke, was silent, or brought what cannot be read. */
function withoutAnswer(error: unknown, text: string): ModelErrorReason {
  if (PlexusError.isPlexusError(error) && error.code === 'TIMEOUT') return 'timeout';
  const code = codeIn(error);
  if (fieldsOf(error).name === 'TimeoutError' || (code !== undefined && TIMEOUT_CODES.test(code))) return 'timeout';
  if (isTransientNetworkError(error) || code !== undefined) return 'unreachable';
  // An error within the stream, without a status, is a failure of the endpoint.
  return text === '' ? 'unknown' : 'overloaded';
}

function saidBy(error: unknown): Said {
  const fields = fieldsOf(error);
  const body = typeof fields.responseBody === 'string' ? fields.responseBody : undefined;
  const payload =
    (body === undefined ? undefined : recogniseErrorPayload(body)) ??
    readErrorPayload(fields.data) ??
    // An error object is the client library's own; a plain one is what the endpoint sent within its stream.
    (error instanceof Error ? undefined : readErrorPayload(error)) ??
    (typeof error === 'string' ? recogniseErrorPayload(error) : undefined) ??
    {};
  const status = typeof fields.statusCode === 'number' && fields.statusCode >= 400 ? fields.statusCode : payload.status;
  const words = [payload.message, payload.code, payload.type];
  // Some servers refuse in plain text, and some put figures beside the message.
  if (body !== undefined && (payload.message === undefined || saysTooLong(payload.message) || saysTooLong(payload.type ?? ''))) words.push(body);
  return {
    payload,
    status,
    text: words
      .filter((word) => word !== undefined)
      .join('\n')
      .slice(0, MAX_TEXT),
  };
}

function fieldsOf(error: unknown): Fields {
  return error !== null && typeof error === 'object' ? (error as Fields) : {};
}

function codeIn(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current !== null && typeof current === 'object'; depth += 1) {
    const { code, cause } = current as Fields;
    if (typeof code === 'string' && /^(?:E[A-Z]|UND_ERR_)/.test(code)) return code;
    current = cause;
  }
  return undefined;
}

/** `retry-after-ms`, `retry-after` in seconds or as a date, else what the message says ("try again in 1m2.5s"). */
function wishedWait(headers: unknown, text: string, nowMs: number): number | undefined {
  const named = (name: string): string | undefined => {
    const value = headers !== null && typeof headers === 'object' ? (headers as Record<string, unknown>)[name] : undefined;
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  };
  const exact = Number(named('retry-after-ms') ?? Number.NaN);
  if (exact >= 0) return exact;
  const after = named('retry-after');
  if (after !== undefined) {
    const seconds = Number(after);
    if (seconds >= 0) return seconds * 1_000;
    const at = /[a-z]/i.test(after) ? Date.parse(after) : Number.NaN;
    if (Number.isFinite(at)) return Math.max(0, at - nowMs);
  }
  const told = /(?:try again|retry) in (?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(ms|s))?/i.exec(text);
  if (told === null || (told[1] === undefined && told[2] === undefined)) return undefined;
  return Number(told[1] ?? 0) * 60_000 + Math.ceil(Number(told[2] ?? 0) * (told[3] === 'ms' ? 1 : 1_000));
}

/** The limit in tokens that an error names, whatever else it says. */
export function limitNamedBy(error: unknown): number | undefined {
  const { text } = saidBy(error);
  return saysTooLong(text) ? limitNamedIn(text) : undefined;
}

/** The same error, known to come from a fallback: it says nothing about the model that is asked first. */
export function asOfFallback(error: unknown): unknown {
  const whole = error !== null && typeof error === 'object' ? error : { message: String(error) };
  return Object.create(whole, { isOfFallback: { value: true } });
}

export function isOfFallback(error: unknown): boolean {
  return error !== null && typeof error === 'object' && 'isOfFallback' in error && error.isOfFallback === true;
}
