import { type FailureReason, FAILURE_POLICIES, isFailureReason, REASON_BY_CODE } from './failure-reason.js';
import { classifyMessage, soundsLikeAborted, soundsLikeSessionEnd, soundsLikeTimeout, soundsOverloaded, soundsTemporary } from './failure-patterns.js';
import { type ErrorFields, fieldsOf, isTransientFailure } from './transient-failure.js';

/** What an error means for whoever wants the work done elsewhere or later. */
export interface Failure {
  /** Undefined: nothing is known that another account or a later attempt would change. */
  readonly reason: FailureReason | undefined;
  readonly failover: boolean;
  readonly retryable: boolean;
  /** The error speaks of time running out, whatever else it says. */
  readonly isTimeout: boolean;
  /** Own status of the error, else the one of its reason. */
  readonly status: number | undefined;
  /** Own code of the error, as written. */
  readonly code: string | undefined;
  readonly message: string;
}

/** An error whose reason is decided already; {@link classifyFailure} takes it as it is. */
export class FailoverError extends Error {
  override readonly name = 'FailoverError';
  readonly reason: FailureReason;
  readonly status: number;
  readonly code?: string;

  constructor(message: string, init: { reason: FailureReason; status?: number; code?: string; cause?: unknown }) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.reason = init.reason;
    this.status = init.status ?? FAILURE_POLICIES[init.reason].status;
    if (init.code !== undefined) this.code = init.code;
  }
}

/** Errors may wrap one another, also in circles. */
const MAX_DEPTH = 8;

/** Classifies anything that was thrown. Never throws. */
export function classifyFailure(error: unknown): Failure {
  const fields = fieldsOf(error);
  const reason = reasonOf(error, fields, 0);
  const policy = reason === undefined ? undefined : FAILURE_POLICIES[reason];
  return {
    reason,
    failover: policy?.failover ?? false,
    // Who cut a call off on purpose does not want it again.
    retryable: policy?.retryable ?? (fields.name !== 'AbortError' && isTransientFailure(error)),
    isTimeout: isTimeoutError(error),
    status: statusOf(fields) ?? policy?.status,
    code: codeOf(fields),
    message: messageOf(error, fields) || printable(error),
  };
}

function reasonOf(error: unknown, fields: ErrorFields, depth: number): FailureReason | undefined {
  if (fields.name === 'FailoverError' && isFailureReason(fields.reason)) return fields.reason;
  const message = messageOf(error, fields);
  return (
    reasonOfStatus(statusOf(fields), message) ??
    REASON_BY_CODE.get(codeOf(fields)?.trim().toUpperCase() ?? '') ??
    classifyMessage(message) ??
    (hasTimeoutHint(error, fields) ? 'timeout' : undefined) ??
    nestedReason(error, fields, depth)
  );
}

/** An error that says nothing itself may carry one that does. */
function nestedReason(error: unknown, fields: ErrorFields, depth: number): FailureReason | undefined {
  if (depth >= MAX_DEPTH) return undefined;
  for (const inner of [fields.error, fields.cause]) {
    if (inner === undefined || inner === null || inner === error) continue;
    const reason = reasonOf(inner, fieldsOf(inner), depth + 1);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function reasonOfStatus(status: number | undefined, message: string): FailureReason | undefined {
  switch (status) {
    case 400:
    case 422:
      return classifyMessage(message) ?? 'format';
    case 401:
    case 403: {
      const said = classifyMessage(message);
      return said === 'billing' || said === 'auth_permanent' ? said : 'auth';
    }
    case 402:
      return soundsTemporary(message) ? 'rate_limit' : 'billing';
    case 404:
      return 'model_not_found';
    case 408:
      return 'timeout';
    case 410:
      return soundsLikeSessionEnd(message) ? 'session_expired' : 'timeout';
    case 429:
      return 'rate_limit';
    case 499:
    case 503:
      return soundsOverloaded(message) ? 'overloaded' : 'timeout';
    case 500:
    case 502:
    case 504:
      return 'timeout';
    case 529:
      return 'overloaded';
    default:
      return undefined;
  }
}

/** True when an error says that time ran out: by name, by its text, or as an abort that a timeout caused. */
export function isTimeoutError(error: unknown): boolean {
  return hasTimeoutHint(error, fieldsOf(error));
}

function hasTimeoutHint(error: unknown, fields: ErrorFields): boolean {
  if (fields.name === 'TimeoutError') return true;
  const message = messageOf(error, fields);
  if (soundsLikeTimeout(message)) return true;
  if (fields.name !== 'AbortError') return false;
  return soundsLikeAborted(message) || [fields.cause, fields.reason].some((inner) => inner !== error && soundsLikeTimeout(messageOf(inner, fieldsOf(inner))));
}

function statusOf({ status, statusCode }: ErrorFields): number | undefined {
  const value = status ?? statusCode;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : undefined;
}

const codeOf = ({ code }: ErrorFields): string | undefined => (typeof code === 'string' && code.trim() !== '' ? code : undefined);

function messageOf(error: unknown, { message }: ErrorFields): string {
  if (typeof message === 'string') return message;
  if (typeof error === 'string') return error;
  return typeof error === 'number' || typeof error === 'bigint' ? String(error) : typeof error === 'symbol' ? (error.description ?? '') : '';
}

function printable(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'unknown failure'; // an object without a way to become text
  }
}
