import type { Clock } from '@plexus/kernel';

const URGENT_LATELY_MS = 5_000;

/**
 * Whether something urgent came lately. While it does, what is not urgent goes in rounds: many small steps cost processor, connections and syncs of the
 * disk that the next urgent thing would wait for, and a few larger ones do the same work for less. Who is not urgent pays with up to one round.
 */
export class GivingWay {
  private urgentAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    /** From the beginning of one round to that of the next, in milliseconds. */
    private readonly roundMs: number,
  ) {}

  /** Something urgent is here. */
  urgent(): void {
    this.urgentAt = this.clock.monotonic();
  }

  get isOn(): boolean {
    return this.clock.monotonic() - this.urgentAt < URGENT_LATELY_MS;
  }

  /** How long to wait before the next round when the last one began at `since` on the monotonic clock; 0 while nothing is urgent. */
  restMs(since: number): number {
    return this.isOn ? Math.max(0, this.roundMs - (this.clock.monotonic() - since)) : 0;
  }
}
