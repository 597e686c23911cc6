import { AbortedError, type Clock } from '@plexus/kernel';
import type { SeenEvents } from './ports.js';

/** As long as the stream keeps the event itself: nothing older can be delivered again. */
const KEPT_MS = 7 * 24 * 60 * 60 * 1_000;
const BATCH = 2_000;

/** Forgets sightings after seven days, in small batches so that deciding never waits for it. */
export class PruneSeenEvents {
  constructor(
    private readonly seen: SeenEvents,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    private readonly everyMs = 10 * 60_000,
  ) {}

  /** One round; returns how many were forgotten. */
  async execute(signal?: AbortSignal): Promise<number> {
    const before = new Date(this.clock.now() - KEPT_MS);
    let total = 0;
    for (;;) {
      const pruned = await this.seen.prune(before, BATCH);
      total += pruned;
      if (pruned < BATCH || signal?.aborted) return total;
    }
  }

  /** Runs rounds until aborted; resolves then. A failed round is reported and the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.execute(signal).catch(this.onError);
      await this.clock.sleep(this.everyMs, signal).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) throw error;
      });
    }
  }
}
