import { AbortedError, type Clock } from '@plexus/kernel';
import type { MemoryRetention } from './ports.js';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Rows that nobody can see any more are kept a week, so that a mistake can still be looked into. Deleted ones hold no content. */
const GRACE_MS = 7 * DAY_MS;
const KEYS_MS = 7 * DAY_MS;
/** As long as a tombstone stays, a late redelivery of the deleted write is recognised. */
const TOMBSTONES_MS = 30 * DAY_MS;
const BATCH = 500;

/** Removes for good what expired or was deleted, tenant by tenant. Nothing depends on when it runs. */
export class SweepMemories {
  constructor(
    private readonly retention: MemoryRetention,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    /** What else is removed in the same rounds; returns how many rows went. */
    private readonly others: readonly (() => Promise<number>)[] = [],
    private readonly everyMs = 10 * 60_000,
  ) {}

  /** One round over all tenants; returns how many rows went. */
  async execute(signal?: AbortSignal): Promise<number> {
    const now = this.clock.now();
    const before = { keys: new Date(now - KEYS_MS), tombstones: new Date(now - TOMBSTONES_MS) };
    let total = 0;
    for (const tenant of await this.retention.tenants()) {
      total += await drain(() => this.retention.sweepMemories(tenant, new Date(now - GRACE_MS), BATCH), signal);
      total += await drain(() => this.retention.sweepTraces(tenant, before, BATCH), signal);
      if (signal?.aborted) return total;
    }
    for (const sweep of this.others) total += await sweep();
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

async function drain(batch: () => Promise<number>, signal: AbortSignal | undefined): Promise<number> {
  let total = 0;
  for (;;) {
    const gone = await batch();
    total += gone;
    if (gone < BATCH || signal?.aborted) return total;
  }
}
