import type { Clock } from '@plexus/kernel';

const STEP_MS = 20;

/**
 * Does something to each item, one after the other in their order and evenly over a window: the first at once, the last one before the window is
 * over. Clients have no jitter of their own: what is closed at the same time comes back at the same time. Whoever is left when the signal aborts
 * has its turn then.
 */
export async function overWindow<T>(items: readonly T[], windowMs: number, act: (item: T) => void, clock: Clock, signal: AbortSignal): Promise<void> {
  const startedAt = clock.monotonic();
  let next = 0;
  for (;;) {
    const elapsedMs = clock.monotonic() - startedAt;
    const due = windowMs <= 0 || signal.aborted ? items.length : Math.min(items.length, Math.floor((elapsedMs / windowMs) * items.length) + 1);
    for (; next < due; next += 1) act(items[next] as T);
    if (next === items.length) return;
    await clock.sleep(Math.max(1, Math.min(STEP_MS, (next / items.length) * windowMs - elapsedMs)), signal).catch(() => undefined); // Aborted: the rest is done at once.
  }
}
