import { findJsonValue } from './embedded-json.js';

/** What an error payload of an HTTP API says, whatever dialect it was written in. */
export interface ErrorPayload {
  readonly message?: string;
  /** Machine-readable code, for example `rate_limit_exceeded`. */
  readonly code?: string;
  /** Kind of error, for example `invalid_request_error`. */
  readonly type?: string;
  /** HTTP status from the payload, else from the prefix. */
  readonly status?: number;
  readonly requestId?: string;
}

type Fields = Record<string, unknown>;

const MAX_BYTES = 256 * 1024;
const MAX_PREFIX = 160;
const MAX_TAIL = 400;
const MAX_VALUES = 4;
/** A prefix has to speak of failure, or be nothing but labels and a status: prose that quotes a payload is not an error. */
const FAILURE_WORD = /\b(?:\w*error|\w*exception|fail(?:ed|ure)?|rejected|refused|http|status|upstream)\b/i;
const STATUS = /(?<![\w.])([45]\d\d)(?![\w.])/;
const BARE_PREFIX = /^\s*[[\]()\w.:/-]{0,40}\s*$/;

const text = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);

function codeText(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : text(value);
}

function statusOf(...candidates: unknown[]): number | undefined {
  for (const candidate of candidates) {
    const status = typeof candidate === 'string' && /^\d{3}$/.test(candidate) ? Number(candidate) : candidate;
    if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) return status;
  }
  return undefined;
}

function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Reads one parsed value as an error payload; undefined when it is something else. */
export function readErrorPayload(value: unknown): ErrorPayload | undefined {
  if (Array.isArray(value)) return value.length === 1 ? readErrorPayload(value[0]) : undefined;
  if (!isFields(value)) return undefined;
  const { error } = value;
  const nested = isFields(error) ? error : undefined;
  const plain = text(error);
  const announced = value.type === 'error' || nested !== undefined || plain !== undefined;
  const ownStatus = statusOf(value.status, value.statusCode, value.code);
  const problemDocument = ownStatus !== undefined && (text(value.title) ?? text(value.detail) ?? text(value.message)) !== undefined;
  const coded = text(value.message) !== undefined && codeText(value.code) !== undefined;
  if (!announced && !problemDocument && !coded) return undefined;

  const source = nested ?? value;
  // OAuth style: `error` is a code when a description stands beside it, the message itself when not.
  const described =
    text(value.error_description) ?? text(source.message) ?? text(source.detail) ?? text(value.message) ?? text(value.detail) ?? text(value.title);
  const found: ErrorPayload = {
    message: described ?? plain ?? text(source.error),
    code: codeText(source.code) ?? (nested ? codeText(value.code) : undefined) ?? (described === undefined ? undefined : plain),
    type: [source.type, source.status, value.type].map(text).find((type) => type !== undefined && type !== 'error'),
    status: statusOf(source.status, source.statusCode, source.code, value.status, value.statusCode, value.code),
    requestId: text(value.request_id) ?? text(value.requestId) ?? text(source.request_id),
  };
  const said = found.message ?? found.code ?? found.type ?? found.status;
  return said === undefined ? undefined : stripUndefined(found);
}

function stripUndefined(payload: ErrorPayload): ErrorPayload {
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
}

/**
 * Recognises the error payload of an API in a text, also behind a prefix such as `Error: 429 {"error":{…}}` or `data: {…}`. Undefined
 * for ordinary text, for JSON that is no error, and for prose that merely quotes one. Never throws.
 */
export function recogniseErrorPayload(input: string): ErrorPayload | undefined {
  if (input.length > MAX_BYTES) return undefined;
  // A prefix may itself hold something that parses (`[429] {…}`), so a value that is no error does not end the search.
  for (let from = 0, tried = 0; tried < MAX_VALUES; tried++) {
    const found = findJsonValue(input, from);
    if (!found || found.start > MAX_PREFIX) return undefined;
    from = found.end;
    if (input.length - found.end > MAX_TAIL) continue;
    const payload = readErrorPayload(found.value);
    if (!payload) continue;
    const prefix = input.slice(0, found.start);
    const prefixStatus = STATUS.exec(prefix)?.[1];
    const credible = prefixStatus !== undefined || FAILURE_WORD.test(prefix) || BARE_PREFIX.test(prefix);
    if (!credible) return undefined;
    return payload.status === undefined && prefixStatus !== undefined ? { ...payload, status: Number(prefixStatus) } : payload;
  }
  return undefined;
}
