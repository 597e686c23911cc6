import { fullJitter } from '@plexus/kernel';

/** An answer that has not reached its channel within a day is no answer any more. */
export const ANSWER_DEADLINE_MS = 24 * 60 * 60_000;
/** A send may be tried for so long unless its caller says otherwise. */
export const SEND_DEADLINE_MS = 60 * 60_000;
/** Attempts over all accounts: the budget of one message. */
export const MAX_ATTEMPTS = 20;

const BACKOFF = { baseMs: 2_000, capMs: 120_000 };

/** A failed attempt, classified. */
export interface Failure {
  /** Another account may do better. */
  readonly failover: boolean;
  /** Trying again may help, here or elsewhere. */
  readonly retryable: boolean;
  /** The channel asks to wait so long. */
  readonly retryAfterMs?: number | undefined;
}

export type NextStep =
  /** Try one of the other accounts at once. */
  { readonly kind: 'other-account' } | { readonly kind: 'wait'; readonly delayMs: number } | { readonly kind: 'give-up' };

export interface Situation {
  /** Attempts made, the failed one included. */
  readonly attempts: number;
  /** Accounts that have not failed since the last pause, the failed one not counted. */
  readonly othersLeft: number;
  /** One of the other accounts failed for something that may pass. */
  readonly othersMayRecover?: boolean;
  readonly remainingMs: number;
}

/** A fully jittered pause after so many attempts. */
export function backoffMs(attempts: number, random: () => number = Math.random): number {
  return fullJitter(Math.max(0, attempts - 1), { ...BACKOFF, random });
}

/** What follows a failed attempt. Waits are fully jittered, never shorter than the channel asks for, and never beyond the deadline. */
export function afterFailure(failure: Failure, situation: Situation, random: () => number = Math.random): NextStep {
  if (situation.attempts >= MAX_ATTEMPTS || situation.remainingMs <= 0) return { kind: 'give-up' };
  if (failure.failover && situation.othersLeft > 0) return { kind: 'other-account' };
  if (!failure.retryable && !(failure.failover && situation.othersMayRecover)) return { kind: 'give-up' };
  const delayMs = Math.max(failure.retryAfterMs ?? 0, backoffMs(situation.attempts, random));
  return delayMs >= situation.remainingMs ? { kind: 'give-up' } : { kind: 'wait', delayMs };
}
