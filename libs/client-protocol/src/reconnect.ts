/** When to try again after a connection was lost. */
export interface ReconnectPolicy {
  /** Wait before the first retry, in ms. Default 1 000. */
  readonly baseMs: number;
  /** Longest wait, in ms. Default 60 000. */
  readonly capMs: number;
  /** After so many failures in a row somebody is told; trying goes on. Default 10. */
  readonly alertAfter: number;
}

export const DEFAULT_RECONNECT: ReconnectPolicy = { baseMs: 1_000, capMs: 60_000, alertAfter: 10 };

/**
 * The wait before retry number `attempt` (0 = first): doubles up to the cap; the upper half is random, so that clients that lost the same
 * gateway do not come back together, while the first half keeps a single client from hammering.
 */
export function reconnectDelay(attempt: number, policy: ReconnectPolicy, random: () => number = Math.random): number {
  const full = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random());
}
