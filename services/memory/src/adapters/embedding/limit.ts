import { AbortedError, BoundedQueue } from '@plexus/kernel';

/** Runs at most so many at a time; others wait their turn, or until their signal aborts. */
export type Limit = <T>(run: () => Promise<T>, signal: AbortSignal) => Promise<T>;

const MAX_WAITING = 1_000;

/** Rejects with AbortedError when the signal aborts first, or when a thousand wait already. */
export function createLimit(atOnce: number): Limit {
  let free = atOnce;
  const waiting = new BoundedQueue<() => void>(MAX_WAITING);
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const acquire = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(new AbortedError('given up before its turn'));
      if (free > 0) {
        free -= 1;
        return resolve();
      }
      const onAbort = () => reject(new AbortedError('given up while waiting for its turn'));
      const take = () => {
        signal.removeEventListener('abort', onAbort);
        // Whoever gave up hands its turn on.
        if (signal.aborted) release();
        else resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (!waiting.push(take)) {
        signal.removeEventListener('abort', onAbort);
        reject(new AbortedError('too many wait already'));
      }
    });
  return async (run, signal) => {
    await acquire(signal);
    try {
      return await run();
    } finally {
      release();
    }
  };
}
