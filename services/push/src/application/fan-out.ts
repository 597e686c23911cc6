import { type Clock, fullJitter } from '@plexus/kernel';
import type { FanOutJobs } from './deciding-ports.js';
import type { MatchEvent } from './match-event.js';
import { pause } from './pause.js';
import { WakeUp } from './wake-up.js';

export interface FanOutOptions {
  readonly jobs: FanOutJobs;
  readonly matching: MatchEvent;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** Jobs of one tenant that are worked on at a time. Default 2. */
  readonly jobsPerTenant?: number;
  /** Pages of one tenant that this replica works on at a time. Default 2. */
  readonly pagesPerTenant?: number;
  /** A page that was taken and not done for this long is taken by somebody else. Default 10,000. */
  readonly claimMs?: number;
  readonly pollMs?: number;
}

const MOST_TENANTS = 32;
const BACKOFF = { baseMs: 200, capMs: 5_000 };

/**
 * Works off large audiences page by page, every tenant with the same few hands. Any replica takes the next page; what one of them left
 * behind when it died is taken again, and the log does not store the part twice that had been written.
 */
export class FanOut {
  private readonly wakeUp: WakeUp;
  private readonly working = new Map<string, Promise<void>>();

  constructor(private readonly options: FanOutOptions) {
    this.wakeUp = new WakeUp(options.clock);
  }

  /** A job was begun. */
  wake(): void {
    this.wakeUp.ring();
  }

  /** Runs until aborted; resolves when the pages under way are done. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.startTenants(signal).catch(this.options.onError);
      await this.wakeUp.wait(this.options.pollMs ?? 5_000, signal);
    }
    await Promise.all(this.working.values());
  }

  private async startTenants(signal: AbortSignal): Promise<void> {
    for (const tenant of await this.options.jobs.tenants()) {
      for (let hand = 0; hand < (this.options.pagesPerTenant ?? 2) && this.working.size < MOST_TENANTS; hand += 1) {
        const name = `${hand}:${tenant}`;
        if (this.working.has(name)) continue;
        const done = this.workOff(tenant, signal).finally(() => this.working.delete(name));
        this.working.set(name, done);
      }
    }
  }

  /** Pages of one tenant, one after the other, until none is left or something fails; the next look goes on. */
  private async workOff(tenant: string, signal: AbortSignal): Promise<void> {
    const { jobs, matching, clock, onError, jobsPerTenant = 2, claimMs = 10_000 } = this.options;
    try {
      while (!signal.aborted) {
        const page = await jobs.claim(tenant, jobsPerTenant, claimMs);
        if (page === undefined) return;
        await matching.page(page);
        await jobs.done(page);
      }
    } catch (error) {
      onError(error);
      await pause(clock, fullJitter(1, BACKOFF), signal);
    }
  }
}
