import { AbortedError, fullJitter } from '@plexus/kernel';
import { canRetry } from '../domain/client-error.js';

const BASE_MS = 100;
const CAP_MS = 5_000;

/**
 * Tries until it succeeds, the error says that repeating cannot help (thrown), or the signal aborts. For work on which an ack depends:
 * while the bus or a service is away nothing is acked, and nothing is lost.
 */
export async function persist<T>(work: () => Promise<T>, signal: AbortSignal, onRetry?: (error: unknown) => void): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !canRetry(error)) throw error;
      onRetry?.(error);
      await pause(BASE_MS / 2 + fullJitter(attempt, { baseMs: BASE_MS, capMs: CAP_MS }), signal);
    }
  }
}

/** Waits; rejects as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(AbortedError.from(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
