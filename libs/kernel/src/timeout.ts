import { type Clock, systemClock } from './clock.js';
import { AbortedError } from './error-classes.js';
import { PlexusError } from './plexus-error.js';

/** A timer that fires this late tells of a process that stood still. */
const STALLED_MS = 250;

export interface TimeoutOptions {
  /** Giving up early: rejects with `AbortedError`. */
  readonly signal?: AbortSignal;
  /** Code of the error; `TIMEOUT` unless given. */
  readonly code?: string;
  /** What was waited for; becomes part of the message. */
  readonly what?: string;
  readonly clock?: Clock;
}

/**
 * Waits for a promise at most `ms`. Rejects with a retryable `PlexusError` (status 504) when the time is up. The work behind the promise
 * goes on: use `withTimeout` where it can be stopped. After a stall of the process it looks at what has arrived meanwhile first. A late rejection of the promise is consumed here and never becomes unhandled.
 */
export function timeout<T>(promise: PromiseLike<T>, ms: number, options: TimeoutOptions = {}): Promise<T> {
  const { signal, code = 'TIMEOUT', what = 'operation', clock = systemClock } = options;
  return new Promise<T>((resolve, reject) => {
    const finish = (settle: () => void): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = (): void => finish(() => reject(AbortedError.from(signal)));
    const dueAt = clock.monotonic() + ms;
    const giveUp = (): void => {
      const error = new PlexusError({ code, message: `The ${what} took longer than ${ms} ms.`, retryable: true, status: 504, details: { timeoutMs: ms } });
      finish(() => reject(error));
    };
    let timer = clock.setTimeout(() => {
      if (clock.monotonic() - dueAt <= STALLED_MS) giveUp();
      else timer = clock.setTimeout(giveUp, 1);
    }, ms);
    promise.then(
      (value) => finish(() => resolve(value)),
      (error: unknown) => finish(() => reject(error)),
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Runs `fn` with a signal that aborts when the time is up, the caller's signal aborts, or the function has ended. */
export async function withTimeout<T>(fn: (signal: AbortSignal) => PromiseLike<T>, ms: number, options: TimeoutOptions = {}): Promise<T> {
  const controller = new AbortController();
  try {
    // Deferred by one microtask so that a function that throws at once rejects like any other.
    return await timeout(
      Promise.resolve().then(() => fn(controller.signal)),
      ms,
      options,
    );
  } finally {
    controller.abort();
  }
}
