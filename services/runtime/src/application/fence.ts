import { AbortedError, type Clock } from '@plexus/kernel';
import { FENCE_LIMITS, type FenceLimits, type FenceStage, fenceStage } from '../domain/fence.js';

/** Holds back new work while the mesh cannot be reached, by the monotonic clock of this machine alone. */
export class Fence {
  private aliveAt: number;
  private readonly waiters = new Set<() => void>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: FenceLimits = FENCE_LIMITS,
  ) {
    this.aliveAt = clock.monotonic();
  }

  /** A heartbeat that was sent at `sentAt` (monotonic) has been answered. */
  answered(sentAt: number): void {
    this.aliveAt = Math.max(this.aliveAt, sentAt);
    if (this.stage !== 'open') return;
    for (const wake of this.waiters) wake();
  }

  get stage(): FenceStage {
    return fenceStage(this.clock.monotonic() - this.aliveAt, this.limits);
  }

  /** Resolves when a new model or tool call may start. Rejects with `AbortedError`. */
  open(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(AbortedError.from(signal));
    if (this.stage === 'open') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        this.waiters.delete(wake);
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const wake = (): void => finish(resolve);
      const onAbort = (): void => finish(() => reject(AbortedError.from(signal)));
      this.waiters.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
