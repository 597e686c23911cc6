import type { Clock, Timer } from '@plexus/kernel';

const WINDOW_MS = 1_000;
/** More decisions than this in a second are a rush. */
const RUSH = 100;
const CALM_AFTER_MS = 60_000;
/** In per cent of what lives: by so much the heap may grow until all of it is collected. */
const ROOMY_PERCENT = 150;
/** The engine's own judgement. */
const BY_ITSELF = 0;

/**
 * Lets the heap grow further between collections while much is decided. With little memory allowed, V8 collects all of it when it has grown by a third:
 * in a rush once in a second, which is a tenth of the processor, and whatever is urgent then waits for some 80 ms. At rest nothing changes.
 */
export class RoomyHeap {
  private decided = 0;
  private window: Timer | undefined;
  private calm: Timer | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'setTimeout'>,
    private readonly setGrowth: (percent: number) => void,
  ) {}

  /** So many decisions were made. */
  note(decisions: number): void {
    this.decided += decisions;
    this.window ??= this.clock.setTimeout(() => this.judge(), WINDOW_MS);
  }

  stop(): void {
    this.window?.cancel();
    this.calm?.cancel();
  }

  private judge(): void {
    const isRush = this.decided > RUSH;
    this.window = undefined;
    this.decided = 0;
    if (!isRush) return;
    if (this.calm === undefined) this.setGrowth(ROOMY_PERCENT);
    this.calm?.cancel();
    this.calm = this.clock.setTimeout(() => {
      this.calm = undefined;
      this.setGrowth(BY_ITSELF);
    }, CALM_AFTER_MS);
  }
}
