import type { Clock } from '@plexus/kernel';
import { type JobStore, POOLS_JOB, type PoolStore, PRUNE_JOB, type WorkspaceStore } from './jobs.js';
import type { Hints, IncarnationKey, VmStore } from './ports.js';
import type { ProviderRegistry, VmProvider } from './provider-port.js';
import { PARK_GRACE_MS, type Reconciler, type ReconcilerLog } from './reconciler.js';
import type { RunWatch } from './run-watch.js';
import { sweepOrphans, sweepWorkspaces } from './sweep-orphans.js';

export interface ScanLoopParts {
  readonly store: VmStore;
  readonly providers: ProviderRegistry;
  readonly jobs: JobStore & PoolStore & WorkspaceStore;
  readonly hints: Pick<Hints, 'wake'>;
  readonly newVmId: () => string;
  /** Says that this process can act on its hosts. */
  readonly beatHosts: () => Promise<void>;
  /** A terminated VM's workspace is kept for so long. */
  readonly workspaceRetentionMs: number;
  readonly reconciler: Pick<Reconciler, 'reconcile' | 'park'>;
  readonly runs: Pick<RunWatch, 'tick'>;
  readonly clock: Clock;
  readonly log: ReconcilerLog;
  /** False while the mesh cannot be reached: then missing heartbeats say nothing, and nothing could be handed over. */
  readonly isConnected: () => boolean;
  /** `oldestBeatMs`: age of the oldest heartbeat among VMs that are ready. */
  readonly onCounts: (counts: ReadonlyMap<string, number>, oldestBeatMs: number) => void;
  readonly onTransition: (from: string, to: string, cause: string) => void;
  readonly onPools: (sizes: { readonly ready: number; readonly desired: number }) => void;
  readonly onReaped: (reason: 'no-record' | 'refused') => void;
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
  running?: Promise<void> | undefined;
  failing?: boolean;
}

/** Looks for due work until it is stopped. Any number of replicas may do so on one database. */
export class ScanLoop {
  private readonly stopping = new AbortController();
  private readonly inFlight = new Map<string, Promise<void>>();
  private readonly chores: Chore[];
  private readonly pulse: Chore;
  private kicked = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;
  private failing = false;

  constructor(private readonly parts: ScanLoopParts) {
    const { store } = parts;
    const chore = (name: string, everyMs: number, run: () => Promise<void>): Chore => ({ name, everyMs, run, lastAt: Number.NEGATIVE_INFINITY });
    this.pulse = chore('pulse', 2_000, async () => {
      if (await store.pulse()) parts.log.warn({}, 'database or mesh had been out of sight: every lease got one full grace period');
    });
    this.chores = [
      chore('hosts', 5_000, () => parts.beatHosts()),
      chore('watch', 5_000, () =>
        this.forEachProvider(async (provider) => provider.watch(await store.present(provider.name, provider.hostId), (key) => this.onGone(key))),
      ),
      chore('counts', 5_000, async () => parts.onCounts(await store.countByState(), await store.oldestBeatMs())),
      chore('hosts-down', 5_000, async () => {
        for (const { tenant, vmId, move } of await store.noteHostsDown()) {
          parts.onTransition(move.from, move.to, move.cause);
          parts.hints.wake(tenant, vmId);
        }
      }),
      chore('pools', 5_000, () => this.fillPools()),
      chore('sweep', 30_000, () => this.forEachProvider((provider) => this.sweep(provider))),
      chore('workspaces', Math.min(60_000, parts.workspaceRetentionMs), () => this.forEachProvider((provider) => this.removeWorkspaces(provider))),
      chore('prune', 600_000, async () => {
        if ((await parts.jobs.acquire(PRUNE_JOB, 600_000)) !== undefined) await store.prune();
      }),
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

  /** A member of a warm pool was taken: its successor is made now, not with the next turn. */
  refillPools(): void {
    this.dueAgain('pools');
    this.kick();
  }

  private dueAgain(name: string): void {
    for (const chore of this.chores) if (chore.name === name) chore.lastAt = Number.NEGATIVE_INFINITY;
  }

  /** Takes nothing new and waits for what is being done; then gives its claims back, so that others need not wait for them. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wakeUp?.();
    await this.running;
    await Promise.race([Promise.all([...this.inFlight.values(), ...this.chores.map(({ running }) => running)]), this.parts.clock.sleep(STOP_TIMEOUT_MS)]);
    for (const provider of this.parts.providers.all) provider.watch([], () => {});
    await this.parts.store.releaseAll();
  }

  /**
   * After {@link stop}: ends every VM of this host. Processes are ended whether or not their rows can be written; a row that still says
   * otherwise is put right by the next start.
   */
  async parkAll(): Promise<void> {
    const { store, providers, reconciler, log } = this.parts;
    const failed = (fields: object) => (error: unknown) => log.error({ ...fields, err: error }, 'VMs could not be stopped in order');
    // Each is waited for whatever becomes of the others: the database and this process go right after.
    const all = (keys: readonly IncarnationKey[], stop: (key: IncarnationKey) => Promise<unknown>) =>
      Promise.all(keys.map((key) => stop(key).catch(failed(key))));
    // Only VMs of this machine end with it.
    const work = providers.all
      .filter(({ kind }) => kind === 'local')
      .flatMap((provider) => [
        store.present(provider.name, provider.hostId).then((present) => all(present, ({ vmId }) => reconciler.park(vmId))),
        provider.list().then((running) => all(running, (key) => provider.destroy(key, { force: false, graceMs: PARK_GRACE_MS }))),
      ]);
    await Promise.all(work.map((one) => one.catch(failed({}))));
  }

  private async forEachProvider(work: (provider: VmProvider) => Promise<unknown>): Promise<void> {
    for (const provider of this.parts.providers.all) await work(provider);
  }

  private async fillPools(): Promise<void> {
    const { jobs, hints, newVmId, onPools } = this.parts;
    const token = await jobs.acquire(POOLS_JOB, 15_000);
    // Another replica is filling them right now, perhaps without having seen what was just taken: looked at again with the next scan.
    if (token === undefined) return this.dueAgain('pools');
    const { touched, ...sizes } = await jobs.fill(token, newVmId).finally(() => jobs.release(POOLS_JOB, token));
    for (const { tenant, vmId } of touched) hints.wake(tenant, vmId);
    onPools(sizes);
  }

  /** A list that cannot be had, or a database that does not answer, skips the sweep of this provider and nothing else. */
  private async sweep(provider: VmProvider): Promise<void> {
    const { jobs, store, log, onReaped } = this.parts;
    if ((await jobs.acquire(`sweep:${provider.name}:${provider.hostId}`, 60_000)) === undefined) return;
    try {
      await sweepOrphans(provider, store, log, onReaped);
    } catch (error) {
      log.warn({ provider: provider.name, err: error }, 'a sweep was skipped');
    }
  }

  private async removeWorkspaces(provider: VmProvider): Promise<void> {
    const { jobs, log, workspaceRetentionMs, onReaped } = this.parts;
    for (const vmId of await jobs.expired(provider.name, provider.hostId, workspaceRetentionMs, 50)) {
      try {
        await provider.removeWorkspace(vmId);
        await jobs.removed(vmId);
      } catch (error) {
        log.warn({ vmId, err: error }, 'the workspace of a VM that is over could not be removed; trying again');
      }
    }
    try {
      await sweepWorkspaces(provider, jobs, workspaceRetentionMs, log, onReaped);
    } catch (error) {
      log.warn({ provider: provider.name, err: error }, 'a sweep of workspaces was skipped');
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
    if (this.isDue(this.pulse)) await this.pulse.run();
    for (const chore of this.chores) if (chore.running === undefined && this.isDue(chore)) chore.running = this.perform(chore);
    await this.claim();
    await this.parts.runs.tick();
  }

  private isDue(chore: Chore): boolean {
    const now = this.parts.clock.monotonic();
    if (now - chore.lastAt < chore.everyMs) return false;
    chore.lastAt = now;
    return true;
  }

  /** Beside the claims, one of a kind at a time: a chore that hangs holds up nothing but itself. Never rejects; its first failure of a row is logged. */
  private async perform(chore: Chore): Promise<void> {
    try {
      await chore.run();
      chore.failing = false;
    } catch (error) {
      if (chore.failing !== true) this.parts.log.warn({ chore: chore.name, err: error }, 'a chore failed; trying again with its next turn');
      chore.failing = true;
    } finally {
      chore.running = undefined;
    }
  }

  private async claim(): Promise<void> {
    for (let free = MAX_IN_FLIGHT - this.inFlight.size; free > 0; free = MAX_IN_FLIGHT - this.inFlight.size) {
      const due = await this.parts.store.claimDue(free);
      const fresh = due.filter((vmId) => !this.inFlight.has(vmId)); // the others outlived their claim: it has just been extended
      for (const vmId of fresh) {
        const work = this.parts.reconciler.reconcile(vmId).finally(() => {
          this.inFlight.delete(vmId);
          if (this.inFlight.size === MAX_IN_FLIGHT - 1) this.kick();
        });
        this.inFlight.set(vmId, work);
      }
      if (due.length < free || fresh.length === 0) return;
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
