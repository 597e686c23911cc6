import type { Clock, Timer } from '@plexus/kernel';
import type { FenceStage } from '../../domain/fence.js';

const LOOK_MS = 1_000;

/** What the fence does to a bridge: its agent has tools, and nothing of those may have effects when a successor may be at work. */
export class BridgeFence {
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly stage: () => FenceStage,
  ) {}

  /** Looks every second until `stop`, and ends the bridge as soon as tools have to stop. */
  watch(kill: (signal: 'SIGTERM' | 'SIGKILL') => void): void {
    this.stop();
    let last: FenceStage = 'open';
    const look = (): void => {
      const stage = this.stage();
      if (stage !== last && stage === 'stop-tools') kill('SIGTERM');
      if (stage !== last && (stage === 'kill-tools' || stage === 'exit')) kill('SIGKILL');
      last = stage;
      this.timer = this.clock.setTimeout(look, LOOK_MS).unref();
    };
    look();
  }

  stop(): void {
    this.timer?.cancel();
  }
}
