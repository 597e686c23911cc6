import { type Clock, systemClock } from './clock.js';
import { AbortedError } from './error-classes.js';
import { classifyRejection } from './classify-rejection.js';
import { PlexusError } from './plexus-error.js';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** 0 ≤ n < 1; `Math.random` unless given. */
  readonly random?: () => number;
}

/**
 * Full jitter: a uniformly random wait in `0..min(capMs, baseMs·2^attempt)`. `attempt` is 0 for the first retry. Spreading over the
 * whole interval is what keeps a thousand clients that lost the same server from coming back in step.
 */
export function fullJitter(attempt: number, { baseMs, capMs, random = Math.random }: BackoffOptions): number {
  const exponent = attempt > 0 ? Math.min(Math.floor(attempt), 1_000) : 0;
  return Math.floor(random() * Math.max(0, Math.min(capMs, baseMs * 2 ** exponent)));
}

/** An exact wait spread by ± `ratio` (0..1), for schedules that are fixed by a protocol. */
export function spread(ms: number, ratio: number, random: () => number = Math.random): number {
  return Math.max(0, Math.round(ms * (1 - ratio + 2 * ratio * random())));
}

export interface RetryOptions extends BackoffOptions {
  /** Tries in total, at least 1. */
  readonly attempts: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Default: transient network errors, `TransientError`, and `PlexusError`s that say so. Aborts are never retried. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Called before each wait; for logs and counters. */
  readonly onRetry?: (failure: { error: unknown; attempt: number; waitMs: number }) => void;
}

/** Whether trying again can help, as far as the error itself can tell. */
export function isRetryableError(error: unknown): boolean {
  return PlexusError.isPlexusError(error) ? error.retryable : classifyRejection(error) === 'transient';
}

/** Runs `fn(attempt)` (attempt from 0) until it succeeds, the budget is used up (throws the last error) or the signal aborts (`AbortedError`). */
export async function retry<T>(fn: (attempt: number) => Promise<T> | T, options: RetryOptions): Promise<T> {
  const { attempts, signal, clock = systemClock, isRetryable = isRetryableError } = options;
  if (!(attempts >= 1)) throw new RangeError(`retry needs at least 1 attempt, got ${attempts}`);
  for (let attempt = 0; ; attempt++) {
    if (signal?.aborted) throw AbortedError.from(signal);
    try {
      return await fn(attempt);
    } catch (error) {
      if (attempt + 1 >= attempts || signal?.aborted || classifyRejection(error) === 'abort' || !isRetryable(error)) throw error;
      const waitMs = fullJitter(attempt, options);
      options.onRetry?.({ error, attempt, waitMs });
      await clock.sleep(waitMs, signal);
    }
  }
}
