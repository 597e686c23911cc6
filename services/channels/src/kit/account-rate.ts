import type { Clock } from '@plexus/kernel';

/** Longest pause that a send waits out by itself; for longer ones it fails at once, so that another account can take over. */
const MAX_WAIT_MS = 5_000;

/** When an account may make its next call: a steady rate, and the pauses that the platform asks for. */
export class AccountRate {
  private nextAt = 0;
  private pausedUntil = 0;

  constructor(
    private readonly callsPerSecond: number,
    private readonly clock: Clock,
  ) {}

  /** The platform asked for a pause. */
  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.clock.monotonic() + ms);
  }

  /** Waits for the turn of one call. Resolves with 0, or at once with the milliseconds that are too many to wait. */
  async turn(signal: AbortSignal): Promise<number> {
    const now = this.clock.monotonic();
    const startAt = Math.max(now, this.nextAt);
    this.nextAt = startAt + 1_000 / this.callsPerSecond;
    let dueAt = startAt;
    // A pause may begin, or a timer end a little early, while we wait.
    for (;;) {
      const paused = this.pausedUntil - this.clock.monotonic();
      if (paused > MAX_WAIT_MS) return Math.ceil(paused);
      dueAt = Math.max(dueAt, this.pausedUntil);
      const waitMs = dueAt - this.clock.monotonic();
      if (waitMs <= 0) return 0;
      await this.clock.sleep(waitMs, signal);
    }
  }
}
