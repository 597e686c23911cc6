import type { Clock } from '@plexus/kernel';

/** Lets one loop sleep until somebody rings, or until it is time. A ring while nobody sleeps is not lost. */
export class WakeUp {
  private rung = false;
  private wake: (() => void) | undefined;

  constructor(private readonly clock: Pick<Clock, 'setTimeout'>) {}

  ring(): void {
    this.rung = true;
    this.wake?.();
  }

  /** Returns after `ms` at the latest, at once when it was rung since the last time or `signal` is aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.rung && !signal.aborted) await this.sleep(ms, signal);
    this.rung = false;
  }

  private sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        signal.removeEventListener('abort', wake);
        this.wake = undefined;
        resolve();
      };
      const timer = this.clock.setTimeout(wake, ms);
      signal.addEventListener('abort', wake);
      this.wake = wake;
    });
  }
}
