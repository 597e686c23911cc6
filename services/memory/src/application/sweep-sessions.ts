import type { Clock } from '@plexus/kernel';
import type { MemoryRetention } from './ports.js';
import type { SessionRetention } from './session-ports.js';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Far longer than any redelivery of a session's events. */
const TRACES_MS = 30 * DAY_MS;
const BATCH = 500;

/** Removes messages that left the context and whose retention is over. What became memories of them stays. */
export class SweepSessions {
  constructor(
    private readonly sessions: SessionRetention,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly retentionDays: number,
  ) {}

  /** One round over all tenants; returns how many rows went. */
  async execute(): Promise<number> {
    const now = this.clock.now();
    const before = { messages: new Date(now - this.retentionDays * DAY_MS), traces: new Date(now - TRACES_MS) };
    let total = 0;
    for (const tenant of await this.retention.tenants()) {
      for (let gone = BATCH; gone >= BATCH; total += gone) gone = await this.sessions.sweepSessions(tenant, before, BATCH);
    }
    return total;
  }
}
