import type { Clock } from '@plexus/kernel';
import type { IncarnationKey, Provider, VmStore } from './ports.js';
import { PARK_GRACE_MS, type Reconciler, type ReconcilerLog } from './reconciler.js';
import type { RunWatch } from './run-watch.js';
import { sweepOrphans } from './sweep-orphans.js';

export interface ScanLoopParts {
  readonly store: VmStore;
  readonly provider: Provider;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'park'>;
  readonly runs: Pick<RunWatch, 'tick'>;
  readonly clock: Clock;
  readonly log: ReconcilerLog;
  /** False while the mesh cannot be reached: then missing heartbeats say nothing, and nothing could be handed over. */
  readonly isConnected: () => boolean;
  readonly onCounts: (counts: ReadonlyMap<string, number>) => void;
}

/** Correctness path: hints only make it faster. */
const SCAN_MS = 1_000;
const MAX_IN_FLIGHT = 16;
const STOP_TIMEOUT_MS = 8_000;

interface Chore {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
  lastAt: number;
}

/** Looks for due work until it is stopped. Any number of replicas may do so on one database. */
export class ScanLoop {
  private readonly stopping = new AbortController();
  private readonly inFlight = new Set<Promise<void>>();
  private readonly chores: Chore[];
  private kicked = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private failing = false;

  constructor(private readonly parts: ScanLoopParts) {
    const { store } = parts;
    const chore = (name: string, everyMs: number, run: () => Promise<void>): Chore => ({ name, everyMs, run, lastAt: Number.NEGATIVE_INFINITY });
    this.chores = [
      chore('pulse', 2_000, async () => {
        if (await store.pulse()) parts.log.warn({}, 'database or mesh had been out of sight: every lease got one full grace period');
      }),
      chore('watch', 5_000, async () => parts.provider.watch(await store.present(), (key) => this.onGone(key))),
      chore('counts', 5_000, async () => parts.onCounts(await store.countByState())),
      chore('sweep', 30_000, () => sweepOrphans(parts.provider, store, parts.log)),
      chore('prune', 600_000, () => store.prune()),
    ];
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Looks now instead of within a second. */
  kick(): void {
    this.kicked = true;
    this.wakeUp?.();
  }

  /** Takes nothing new and waits for what is being done; then gives its claims back, so that others need not wait for them. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wakeUp?.();
    await this.running;
    await Promise.race([Promise.all(this.inFlight), this.parts.clock.sleep(STOP_TIMEOUT_MS)]);
    this.parts.provider.watch([], () => {});
    await this.parts.store.releaseAll();
  }

  /**
   * After {@link stop}: ends every VM of this host. Processes are ended whether or not their rows can be written; a row that still says
   * otherwise is put right by the next start.
   */
  async parkAll(): Promise<void> {
    const { store, provider, reconciler, log } = this.parts;
    const rows = store.present().then((present) => Promise.all(present.map(({ vmId }) => reconciler.park(vmId))));
    const processes = provider.list().then((running) => Promise.all(running.map((key) => provider.destroy(key, { force: false, graceMs: PARK_GRACE_MS }))));
    for (const outcome of await Promise.allSettled([rows, processes])) {
      if (outcome.status === 'rejected') log.error({ err: outcome.reason }, 'VMs could not be stopped in order');
    }
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.kicked = false;
      try {
        if (this.parts.isConnected()) await this.scan();
        this.failing = false;
      } catch (error) {
        if (!this.failing) this.parts.log.error({ err: error }, 'looking for work failed; trying again every second');
        this.failing = true;
      }
      if (!this.kicked || this.failing) await this.pause();
    }
  }

  private async scan(): Promise<void> {
    // The pulse comes first: after an outage leases are extended before anybody judges them.
    for (const chore of this.chores) {
      const now = this.parts.clock.monotonic();
      if (now - chore.lastAt < chore.everyMs) continue;
      chore.lastAt = now;
      await chore.run();
    }
    await this.claim();
    await this.parts.runs.tick();
  }

  private async claim(): Promise<void> {
    for (let free = MAX_IN_FLIGHT - this.inFlight.size; free > 0; free = MAX_IN_FLIGHT - this.inFlight.size) {
      const due = await this.parts.store.claimDue(free);
      for (const vmId of due) {
        const work = this.parts.reconciler.reconcile(vmId).finally(() => {
          this.inFlight.delete(work);
          if (this.inFlight.size === MAX_IN_FLIGHT - 1) this.kick();
        });
        this.inFlight.add(work);
      }
      if (due.length < free) return;
    }
  }

  private onGone({ vmId }: IncarnationKey): void {
    this.parts.store.wake(vmId).then(
      () => this.kick(),
      (error: unknown) => this.parts.log.warn({ vmId, err: error }, 'the end of a process could not be noted; the watch says so again'),
    );
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.parts.clock.setTimeout(resolve, SCAN_MS);
      this.wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
