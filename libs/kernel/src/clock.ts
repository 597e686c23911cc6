import { AbortedError } from './error-classes.js';

export interface Timer {
  /** Stops the timer; harmless when it has fired. */
  cancel(): void;
  /** Lets the process end while the timer is still pending. Returns the timer. */
  unref(): Timer;
}

/** Time as a dependency: nothing that waits or compares times reads the system clock by itself. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May step. */
  now(): number;
  /** Monotonic clock, milliseconds from an arbitrary start. Never steps: use it for durations. */
  monotonic(): number;
  setTimeout(fn: () => void, ms: number): Timer;
  /** Resolves after `ms`; rejects with `AbortedError` as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node fires at once, with a warning, for anything longer: long waits are cut into pieces of this length. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds that a timer can count: negative and NaN are 0, Infinity stays. */
export function timerMs(ms: number): number {
  return ms > 0 ? ms : 0;
}

class SystemTimer implements Timer {
  private handle: NodeJS.Timeout | undefined;
  private referenced = true;

  constructor(
    private readonly fn: () => void,
    ms: number,
  ) {
    this.arm(timerMs(ms));
  }

  private arm(ms: number): void {
    const step = Math.min(ms, MAX_TIMER_MS);
    this.handle = setTimeout(() => (step < ms ? this.arm(ms - step) : this.fn()), step);
    if (!this.referenced) this.handle.unref();
  }

  cancel(): void {
    clearTimeout(this.handle);
  }

  unref(): Timer {
    this.referenced = false;
    this.handle?.unref();
    return this;
  }
}

/** `sleep` in terms of `setTimeout`, shared by the real and the fake clock. */
export function sleepOn(clock: Pick<Clock, 'setTimeout'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(AbortedError.from(signal));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(AbortedError.from(signal));
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (fn, ms) => new SystemTimer(fn, ms),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};
