import type { Clock } from '@plexus/kernel';
import type { DueTimers } from './deciding-ports.js';
import { WakeUp } from './wake-up.js';

const BATCH = 256;

/** Sends timers into the log when they fall due: looks regularly, and exactly on time for those that it knows of. */
export class FireTimers {
  private readonly wakeUp: WakeUp;
  private wakeAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly due: DueTimers,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    private readonly pollMs: number,
  ) {
    this.wakeUp = new WakeUp(clock);
  }

  /** A timer was set that falls due at `dueAt` (milliseconds): the loop looks by then. */
  expect(dueAt: number): void {
    if (dueAt < this.wakeAt) this.wakeUp.ring();
  }

  /** Runs until aborted; resolves then. A failed round is reported and the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.round();
      this.wakeAt = this.clock.now() + waitMs;
      await this.wakeUp.wait(waitMs, signal);
    }
  }

  private async round(): Promise<number> {
    try {
      const { fired, nextInMs } = await this.due.fire(BATCH);
      if (fired === BATCH) return 0;
      return Math.min(this.pollMs, Math.max(1, Math.ceil(nextInMs ?? this.pollMs)));
    } catch (error) {
      this.onError(error);
      return this.pollMs;
    }
  }
}
