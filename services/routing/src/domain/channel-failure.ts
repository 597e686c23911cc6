import { channelContracts } from '@plexus/contracts';
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
  /** Classified reason, or `unknown`; `target` for what the platform refuses whoever sends it, `place` for a place that this account cannot write to. */
  readonly reason: string;
  /** The account is to blame: counts for its breaker and health. */
  readonly ofAccount: boolean;
}

/** Reasons for which the same account need not try again by itself; another one may do. */
const FINAL = new Set(['auth', 'auth_permanent', 'billing', 'place', 'target']);

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

/** What adapters and platforms say with a code, lower case, and what that means whatever status comes with it. */
const MEANING: ReadonlyMap<string, string> = new Map(
  Object.entries({
    target: words(`channel_not_found user_not_found user_disabled users_not_found is_archived msg_too_long no_text invalid_blocks invalid_target unsupported
      bad_target empty_message attachment_empty cannot_dm_bot user_not_visible messages_tab_disabled message_not_found thread_not_found`),
    place: words(`not_in_channel restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel
      restricted_action_non_threadable_channel restricted_action_thread_locked cannot_reply_to_message as_user_not_supported`),
    auth: words(`invalid_auth not_authed token_expired token_revoked account_inactive missing_scope no_permission not_allowed_token_type access_denied
      org_login_required ekm_access_denied enterprise_is_restricted team_access_not_granted two_factor_setup_required no_url`),
    // The adapter has not seen, or no longer has, an account that the configuration names.
    account: ['account_unknown'],
  }).flatMap(([reason, codes]) => codes.map((code) => [code, reason] as const)),
);

/** What our own adapters say in the place of the platform's code, which is in the message. */
const { target: TARGET_REFUSED, auth: AUTH_FAILED } = channelContracts.SEND_FAILURES;
/** Places that this account is not in, or may not write to; another account may. */
const NOT_IN_PLACE = /not_in_channel|restricted_action|not a member of|bot was kicked|not enough rights|have no rights|write_forbidden/i;

/** Telegram says 403 about chats; a token that is not accepted is a 401. Another bot has no better claim on a person than the one that was blocked. */
const PERSON_REFUSES = /blocked by the user|user is deactivated|initiate conversation|send messages to bots/i;

/**
 * What a failure means for the message and for the account. A platform that refuses the message itself (a chat that does not exist, a text it cannot read,
 * a person who blocked the bot) says nothing about the account, and no account will do better; a place that this account is not in may be open to another.
 */
export function judgeFailure(error: ChannelError, channel?: string): ChannelFailure {
  const { message, code, status, retryAfterMs } = error;
  const classified = classifyFailure({ message, ...(code === undefined ? {} : { code }), ...(status === undefined ? {} : { status }) })?.reason;
  const meaning =
    ownMeaning(error) ?? MEANING.get(code?.toLowerCase() ?? '') ?? (channel === 'telegram' && status === 403 ? placeOrPerson(message) : undefined);
  if (meaning === 'place') return { reason: 'place', failover: true, retryable: false, ofAccount: false };
  if (meaning === 'target' || classified === 'format' || (meaning === undefined && isRefusal(status) && classified !== 'rate_limit')) {
    return { reason: 'target', failover: false, retryable: false, ofAccount: false };
  }
  const reason = meaning ?? classified ?? 'unknown';
  return { reason, failover: true, retryable: mayPass(reason), ofAccount: true, retryAfterMs };
}

function ownMeaning({ code, message }: ChannelError): string | undefined {
  if (code === AUTH_FAILED) return 'auth';
  if (code !== TARGET_REFUSED) return undefined;
  return NOT_IN_PLACE.test(message) ? 'place' : 'target';
}

function placeOrPerson(message: string): string {
  return PERSON_REFUSES.test(message) ? 'target' : 'place';
}

/** Whether the account that failed for this reason may do later what it could not do now. */
export function mayPass(reason: string | undefined): boolean {
  return reason === undefined || !FINAL.has(reason);
}

function isRefusal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && ![401, 402, 403, 407, 408, 425, 429].includes(status);
}
