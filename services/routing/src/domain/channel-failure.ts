import { classifyFailure } from '@plexus/routing-core';
import type { Failure } from './delivery-plan.js';

/** Why a channel did not take a message, in the words of its platform. */
export interface ChannelError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

export interface ChannelFailure extends Failure {
  /** Classified reason, or `unknown`, or `target` for a message or target that the platform refuses whoever sends it. */
  readonly reason: string;
  /** The account is to blame: counts for its breaker and health. */
  readonly ofAccount: boolean;
}

/** Reasons for which the same account need not try again by itself; another one may do. */
const OF_CREDENTIALS = new Set(['auth', 'auth_permanent', 'billing']);

/** Codes of platforms that refuse the target or the text, for adapters that report no status. */
const OF_TARGET = new Set(['channel_not_found', 'user_not_found', 'is_archived', 'msg_too_long', 'no_text', 'invalid_blocks', 'invalid_target', 'unsupported']);

/**
 * What a failure means for the message and for the account. A platform that refuses the message itself (a chat that does not exist, a text it cannot read)
 * says nothing about the account, and no account will do better.
 */
export function judgeFailure(error: ChannelError): ChannelFailure {
  const { message, code, status, retryAfterMs } = error;
  const { reason } = classifyFailure({ message, ...(code === undefined ? {} : { code }), ...(status === undefined ? {} : { status }) }) ?? {};
  const named = code !== undefined && OF_TARGET.has(code.toLowerCase());
  const refused = named || isRefusal(status);
  if (reason === 'format' || (refused && reason !== 'rate_limit')) return { reason: 'target', failover: false, retryable: false, ofAccount: false };
  const known = reason ?? 'unknown';
  return { reason: known, failover: true, retryable: !OF_CREDENTIALS.has(known), ofAccount: true, retryAfterMs };
}

function isRefusal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && ![401, 402, 403, 407, 408, 425, 429].includes(status);
}
