import { type Clock, timeout } from '@plexus/kernel';
import type { Logger } from 'pino';
import { SHUTDOWN_PHASES, type ShutdownBudget, type ShutdownPhase } from '../service-context.js';

export interface ShutdownSequenceOptions {
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Hard limit around everything, in milliseconds. */
  readonly timeoutMs: number;
  /** How long to go on serving once readiness is gone, in milliseconds. */
  readonly propagationDelayMs: number;
  /** Takes readiness away; called first. */
  readonly notReady: () => void;
}

/** How a shutdown went. */
export interface ShutdownReport {
  /** Everything ended within its time and without an error. */
  readonly clean: boolean;
  /** `phase/label` of hooks that were still running when their time was over. */
  readonly unfinished: readonly string[];
  /** `phase/label` of hooks that failed. */
  readonly failed: readonly string[];
  readonly durationMs: number;
}

type Hook = { readonly label: string; readonly fn: (budget: ShutdownBudget) => Promise<void> | void };

/**
 * Share of the hard limit at which each phase must be over. Draining sockets may take most of it, but a part that hangs must not
 * cost the later ones their turn: each has a slice that nobody before it can use up.
 */
const ENDS_AT: Record<ShutdownPhase, number> = { listeners: 0.6, sockets: 0.8, consumers: 0.9, bus: 0.95, database: 0.98, telemetry: 1 };

/**
 * Stops a service in order: not ready → propagation delay → listeners → sockets → consumers → bus → database → telemetry, under one
 * hard timer. Hooks of one phase run at the same time; one that fails or hangs is named in the report and does not stop the others.
 */
export class ShutdownSequence {
  private readonly hooks = new Map<ShutdownPhase, Hook[]>(SHUTDOWN_PHASES.map((phase) => [phase, []]));
  private readonly unfinished: string[] = [];
  private readonly failed: string[] = [];
  private readonly passed = new Set<ShutdownPhase>();
  private running: Promise<ShutdownReport> | undefined;
  private startedAt = 0;

  constructor(private readonly options: ShutdownSequenceOptions) {}

  /** True once {@link run} was called. */
  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Registers work for a phase. When the phase is over already, a start was overtaken by its end: the work is done at once. */
  add(phase: ShutdownPhase, label: string, fn: Hook['fn']): void {
    const hook = { label, fn };
    if (this.passed.has(phase)) void this.runHook(phase, hook, this.endOf('telemetry'));
    else this.hooks.get(phase)?.push(hook);
  }

  /** Runs the whole sequence once; later calls get the same report. `wasReady: false` skips the propagation delay: nobody was sent here yet. Never rejects. */
  run(reason: string, { wasReady = true } = {}): Promise<ShutdownReport> {
    this.running ??= this.runAll(reason, wasReady ? this.options.propagationDelayMs : 0);
    return this.running;
  }

  private async runAll(reason: string, propagationDelayMs: number): Promise<ShutdownReport> {
    const { clock, log, timeoutMs, notReady } = this.options;
    this.startedAt = clock.monotonic();
    log.info({ reason, timeoutMs, propagationDelayMs }, 'shutting down');
    notReady();
    if (propagationDelayMs > 0) await clock.sleep(Math.min(propagationDelayMs, timeoutMs * ENDS_AT.listeners));

    for (const phase of SHUTDOWN_PHASES) {
      const hooks = this.hooks.get(phase) ?? [];
      this.passed.add(phase);
      await Promise.all(hooks.map((hook) => this.runHook(phase, hook, this.endOf(phase))));
    }
    const durationMs = Math.round(clock.monotonic() - this.startedAt);
    const { unfinished, failed } = this;
    return { clean: unfinished.length === 0 && failed.length === 0, unfinished, failed, durationMs };
  }

  /** Monotonic time at which a phase must be over. */
  private endOf(phase: ShutdownPhase): number {
    return this.startedAt + this.options.timeoutMs * ENDS_AT[phase];
  }

  private async runHook(phase: ShutdownPhase, { label, fn }: Hook, end: number): Promise<void> {
    const { clock, log } = this.options;
    const name = `${phase}/${label}`;
    const controller = new AbortController();
    const remainingMs = () => Math.max(0, end - clock.monotonic());
    const work = Promise.resolve().then(() => fn({ signal: controller.signal, remainingMs }));
    try {
      await timeout(work, remainingMs(), { clock, code: 'SHUTDOWN_PHASE_OVER', what: `shutdown of ${name}` });
    } catch (error) {
      if ((error as { code?: unknown }).code === 'SHUTDOWN_PHASE_OVER') {
        this.unfinished.push(name);
        log.warn({ hook: name }, 'a part did not stop in its time and is left behind');
        controller.abort();
      } else {
        this.failed.push(name);
        log.error({ hook: name, error }, 'a part failed to stop');
      }
    }
  }
}
