import type { Clock } from '@plexus/kernel';
import type { Bootstrap, IncarnationKey, ProviderErrorCode } from '../../application/provider-port.js';

export type FakeOperation = 'create' | 'observe' | 'destroy' | 'list' | 'removeWorkspace';

/** What goes wrong with one call. */
export interface FakeFault {
  /** The call takes so long, by the clock of the world, before it has any effect. */
  readonly delayMs?: number;
  /** It rejects and has done nothing. */
  readonly failBefore?: ProviderErrorCode;
  /** It rejects although it was done. */
  readonly failAfter?: ProviderErrorCode;
  /** It has its effect and answers that it does not know. */
  readonly unknown?: boolean;
  /** It claims success and has done nothing: a host that is lost, behind a provider that does not notice. */
  readonly withoutEffect?: boolean;
}

export interface FakeInstance extends IncarnationKey {
  /** Differs for every start, as a pid or an UID does. */
  readonly id: number;
  readonly cluster: string;
  readonly startedAt: number;
  readonly userId: string;
  readonly bootstrap: Bootstrap;
  readonly log: string[];
  end: { readonly exitCode?: number; readonly signal?: string } | undefined;
}

/** What anybody did to the world, in order; for assertions about what must never have been done. */
export interface FakeDeed {
  readonly at: number;
  readonly operation: 'started' | 'ended';
  readonly vmId: string;
  readonly epoch: number;
  readonly by: string;
}

const MAX_DEEDS = 100_000;

/**
 * The truth about what runs, for any number of {@link FakeProvider}s on it: they are what replicas believe, this is what is. Faults come from `fault`; the default
 * world has none. Deterministic: no time but that of the clock, no randomness of its own.
 */
export class FakeWorld {
  /** Asked before every call; `by` is the name of the provider's process. */
  fault: (operation: FakeOperation, key: IncarnationKey | undefined, by: string) => FakeFault = () => ({});
  /** While true nobody is told that something ended. */
  watchIsLost = false;
  readonly deeds: FakeDeed[] = [];
  readonly workspaces = new Map<string, { readonly files: Map<string, string>; usedAt: number }>();
  private readonly found = new Map<string, FakeInstance>();
  private readonly turns = new Map<string, Promise<unknown>>();
  private nextId = 1;
  private highest = 0;

  constructor(readonly clock: Clock) {}

  /** Incarnations of a VM (or of all) that run at this moment. */
  running(vmId?: string): FakeInstance[] {
    return [...this.found.values()].filter((instance) => instance.end === undefined && (vmId === undefined || instance.vmId === vmId));
  }

  get highestEpoch(): number {
    return this.highest;
  }

  find({ vmId, epoch }: IncarnationKey, cluster: string): FakeInstance | undefined {
    return this.found.get(`${cluster}/${vmId}/${epoch}`);
  }

  /** Every incarnation of a VM that ever was under this label. */
  of(cluster: string, vmId: string): FakeInstance[] {
    return [...this.found.values()].filter((instance) => instance.cluster === cluster && instance.vmId === vmId);
  }

  start(key: IncarnationKey, cluster: string, userId: string, bootstrap: Bootstrap, by: string): FakeInstance {
    const instance: FakeInstance = {
      vmId: key.vmId,
      epoch: key.epoch,
      id: this.nextId,
      cluster,
      startedAt: this.clock.now(),
      userId,
      bootstrap,
      log: [`runtime of ${userId}, epoch ${key.epoch}, is up`],
      end: undefined,
    };
    this.nextId += 1;
    this.highest = Math.max(this.highest, key.epoch);
    this.found.set(`${cluster}/${key.vmId}/${key.epoch}`, instance);
    this.workspaces.set(key.vmId, this.workspaces.get(key.vmId) ?? { files: new Map(), usedAt: 0 });
    this.touch(key.vmId);
    this.note('started', key, by);
    if (userId === 'fails') {
      instance.log.push('no such model: gibberish');
      this.end(instance, { exitCode: 3 }, 'itself');
    }
    return instance;
  }

  /** Ends a running instance; nothing happens to one that is over. */
  end(instance: FakeInstance, how: { readonly exitCode?: number; readonly signal?: string }, by: string): void {
    if (instance.end !== undefined) return;
    instance.end = how;
    this.touch(instance.vmId);
    this.note('ended', instance, by);
  }

  /** One at a time for a VM, as the place itself would see to it. */
  async inTurn<T>(vmId: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(vmId) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined, // the caller has the rejection; the next in turn only waits for the end
    );
    this.turns.set(vmId, settled);
    try {
      return await mine;
    } finally {
      if (this.turns.get(vmId) === settled) this.turns.delete(vmId);
    }
  }

  private touch(vmId: string): void {
    const workspace = this.workspaces.get(vmId);
    if (workspace !== undefined) workspace.usedAt = this.clock.now();
  }

  private note(operation: FakeDeed['operation'], { vmId, epoch }: IncarnationKey, by: string): void {
    if (this.deeds.length < MAX_DEEDS) this.deeds.push({ at: this.clock.now(), operation, vmId, epoch, by });
  }
}
