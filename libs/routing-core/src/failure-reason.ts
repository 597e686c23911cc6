export type FailureReason = 'billing' | 'rate_limit' | 'overloaded' | 'auth' | 'auth_permanent' | 'timeout' | 'format' | 'model_not_found' | 'session_expired';

/** What follows from a reason. */
export interface FailurePolicy {
  /** Given to an error that carries no status of its own. */
  readonly status: number;
  /** Whether another account or provider may succeed where this one failed. */
  readonly failover: boolean;
  /** Whether the same account may succeed a little later. */
  readonly retryable: boolean;
}

export const FAILURE_POLICIES: Readonly<Record<FailureReason, FailurePolicy>> = {
  billing: { status: 402, failover: true, retryable: false },
  rate_limit: { status: 429, failover: true, retryable: true },
  overloaded: { status: 503, failover: true, retryable: true },
  auth: { status: 401, failover: true, retryable: false },
  auth_permanent: { status: 403, failover: true, retryable: false },
  timeout: { status: 408, failover: true, retryable: true },
  // The same message would be refused everywhere.
  format: { status: 400, failover: false, retryable: false },
  model_not_found: { status: 404, failover: true, retryable: false },
  // A new session helps, not another account.
  session_expired: { status: 410, failover: false, retryable: true },
};

export const isFailureReason = (value: unknown): value is FailureReason => typeof value === 'string' && Object.hasOwn(FAILURE_POLICIES, value);

/** The status for an error that has none; undefined for a word that is no reason. */
export const statusForReason = (reason: string): number | undefined => (isFailureReason(reason) ? FAILURE_POLICIES[reason].status : undefined);

/** By error code, upper case. */
export const REASON_BY_CODE: ReadonlyMap<string, FailureReason> = new Map<string, FailureReason>([
  ...reasons('rate_limit', 'RESOURCE_EXHAUSTED RATE_LIMIT RATE_LIMITED RATE_LIMIT_EXCEEDED TOO_MANY_REQUESTS THROTTLED THROTTLING QUOTA_EXCEEDED'),
  ...reasons('overloaded', 'OVERLOADED OVERLOADED_ERROR'),
  ...reasons('timeout', 'ETIMEDOUT ESOCKETTIMEDOUT ECONNRESET ECONNABORTED ECONNREFUSED ENETUNREACH ENETRESET EHOSTUNREACH EHOSTDOWN EPIPE EAI_AGAIN'),
]);

function reasons(reason: FailureReason, codes: string): [string, FailureReason][] {
  return codes.split(' ').map((code) => [code, reason]);
}
