import type { Clock, Timer } from '@plexus/kernel';
import type { FenceStage } from '../../domain/fence.js';
import type { Fence } from '../fence.js';
import type { ToolProcess } from '../ports.js';

/** After a cancel: TERM to the process groups of a tool, KILL, and no longer waiting for what it returns. The run has its end at 15 s. */
export const CANCEL_STEPS = { termMs: 5_000, killMs: 10_000, abandonMs: 13_000 } as const;
const FENCE_LOOK_MS = 1_000;
/** After the fence killed its processes a tool has so long to return. */
const FENCE_ABANDON_MS = 3_000;

/** Why a tool was told to stop. */
export type StopCause = 'cancelled' | 'fenced';

/**
 * Watches one running tool: passes a cancel on and escalates it, and stops the tool when the mesh has been silent for too long. `signal`
 * is the tool's; `abandoned` resolves when it is no longer waited for.
 */
export class ToolGuard {
  cause: StopCause | undefined;
  readonly abandoned: Promise<void>;
  private readonly stop = new AbortController();
  private readonly processes = new Set<ToolProcess>();
  private readonly timers = new Set<Timer>();
  private sent: 'SIGTERM' | 'SIGKILL' | undefined;
  private abandon: () => void = () => undefined;

  constructor(
    private readonly clock: Clock,
    private readonly fence: Fence,
    private readonly run: AbortSignal,
  ) {
    this.abandoned = new Promise((resolve) => {
      this.abandon = resolve;
    });
    if (run.aborted) this.onCancel();
    else run.addEventListener('abort', this.onCancel, { once: true });
    this.watchFence();
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  /** A process group of the tool. One that comes late gets the signal that the others had. */
  add(child: ToolProcess): void {
    this.processes.add(child);
    const gone = (): void => void this.processes.delete(child);
    child.exited.then(gone, gone);
    if (this.sent) child.kill(this.sent);
  }

  /** The tool has returned. */
  close(): void {
    this.run.removeEventListener('abort', this.onCancel);
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    // A tool that was stopped may have left something behind that ignores it.
    if (this.cause) this.signalAll('SIGKILL');
  }

  private readonly onCancel = (): void => {
    this.cause ??= 'cancelled';
    this.stop.abort(this.run.reason);
    this.after(CANCEL_STEPS.termMs, () => this.signalAll('SIGTERM'));
    this.after(CANCEL_STEPS.killMs, () => this.signalAll('SIGKILL'));
    this.after(CANCEL_STEPS.abandonMs, this.abandon);
  };

  private watchFence(): void {
    this.after(FENCE_LOOK_MS, () => {
      if (!this.heed(this.fence.stage)) this.watchFence();
    });
  }

  /** True when nothing more has to be looked for. */
  private heed(stage: FenceStage): boolean {
    if (stage === 'open' || stage === 'no-new-work') return false;
    this.cause ??= 'fenced';
    this.stop.abort(new Error('the mesh was out of reach for too long'));
    const kills = stage !== 'stop-tools';
    this.signalAll(kills ? 'SIGKILL' : 'SIGTERM');
    if (kills) this.after(FENCE_ABANDON_MS, this.abandon);
    return kills;
  }

  private signalAll(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.sent = this.sent === 'SIGKILL' ? 'SIGKILL' : signal;
    for (const child of this.processes) child.kill(signal);
  }

  private after(ms: number, act: () => void): void {
    const timer = this.clock.setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer.unref());
  }
}
