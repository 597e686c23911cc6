import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Pause between two looks; default 20 ms. */
  readonly intervalMs?: number;
  /** Names what is awaited in the error. */
  readonly what?: string;
}

/**
 * Waits until the condition gives something truthy and returns that. A condition that throws counts as "not yet"; its last error is
 * the cause of the error that is thrown when the time is over.
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<NonNullable<T>> {
  const { timeoutMs = 60_000, intervalMs = 20, what = condition.toString().slice(0, 120) } = options;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  let lastValue: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      lastValue = value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) {
      const seen = lastError instanceof Error ? `; the last look failed: ${lastError.message}` : `; the last look gave ${String(lastValue)}`;
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${seen}`, { cause: lastError });
    }
    await sleep(intervalMs);
  }
}
