import type { Clock, Timer } from '@plexus/kernel';
import type { FenceStage } from '../../domain/fence.js';

const LOOK_MS = 1_000;

/**
 * Ends programs that live longer than one call when the mesh has been out of reach for too long: a successor may be at work by then, and what
 * they still do must have no effects. They have their whole grace before the time at which tools are killed.
 */
export class ProgramFence {
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly stage: () => FenceStage,
    private readonly end: () => void,
  ) {}

  /** Looks every second until `stop`. */
  watch(): void {
    this.timer ??= this.clock
      .setTimeout(() => {
        this.timer = undefined;
        const stage = this.stage();
        if (stage !== 'open' && stage !== 'no-new-work') this.end();
        this.watch();
      }, LOOK_MS)
      .unref();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
