import { AbortedError, type Clock } from '@plexus/kernel';

/** Something that is kept for a time. `prune` forgets at most `limit` of what is older than `before` and returns how many. */
export interface Prunable {
  readonly keptMs: number;
  prune(before: Date, limit: number): Promise<number>;
}

const BATCH = 1_000;

/** Forgets what is kept for a time only, in small batches so that nothing else waits for it. */
export class PruneOld {
  constructor(
    private readonly kept: readonly Prunable[],
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    private readonly everyMs = 10 * 60_000,
  ) {}

  /** One round; returns how much was forgotten. */
  async execute(signal?: AbortSignal): Promise<number> {
    let total = 0;
    for (const { keptMs, prune } of this.kept) {
      const before = new Date(this.clock.now() - keptMs);
      for (let pruned = BATCH; pruned >= BATCH && signal?.aborted !== true; total += pruned) pruned = await prune(before, BATCH);
    }
    return total;
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
