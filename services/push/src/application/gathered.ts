import type { Clock, Timer } from '@plexus/kernel';

/** Does once, a little later, what many ask for. */
export class Gathered {
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'setTimeout'>,
    private readonly withinMs: number,
    private readonly act: () => void,
  ) {}

  soon(): void {
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = undefined;
      this.act();
    }, this.withinMs);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}
