import { AbortedError, type Clock } from '@plexus/kernel';

/** Lets one loop sleep until somebody rings, or until it is time. A ring while nobody sleeps is not lost. */
export class WakeUp {
  private rung = false;
  private wake: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  ring(): void {
    this.rung = true;
    this.wake?.();
  }

  /** Returns after `ms` at the latest, at once when it was rung since the last time or `signal` is aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.rung && !signal.aborted) {
      const awake = new AbortController();
      this.wake = () => awake.abort();
      await this.clock.sleep(ms, AbortSignal.any([signal, awake.signal])).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) throw error;
      });
      this.wake = undefined;
    }
    this.rung = false;
  }
}
