import {
  type DestroyOptions,
  type IncarnationKey,
  type InstanceSpec,
  type ListedInstance,
  type ListedWorkspace,
  type ProviderCapabilities,
  ProviderError,
  type ProviderObservation,
  type ProviderRef,
  type VmProvider,
} from '../../application/provider-port.js';
import { requirePlainEnvironment } from '../template-environment.js';
import type { FakeFault, FakeInstance, FakeOperation, FakeWorld } from './fake-world.js';

const WATCH_MS = 500;

export interface FakeProviderOptions {
  readonly world: FakeWorld;
  /** Name of the process that this stands for. */
  readonly by?: string;
  readonly cluster?: string;
  readonly hostId?: string;
  readonly capabilities?: Partial<ProviderCapabilities>;
  readonly deadlines?: VmProvider['deadlines'];
}

/** VMs that exist in a {@link FakeWorld} only: for tests of everything above providers. Keeps the provider contract unless the world injects faults. */
export class FakeProvider implements VmProvider {
  readonly name = 'fake';
  readonly kind = 'fake';
  readonly hostId: string;
  readonly capabilities: ProviderCapabilities;
  readonly deadlines: VmProvider['deadlines'];
  private readonly world: FakeWorld;
  private readonly by: string;
  private readonly cluster: string;
  private watcher: { cancel(): void } | undefined;

  constructor(options: FakeProviderOptions) {
    this.world = options.world;
    this.by = options.by ?? 'fake';
    this.cluster = options.cluster ?? 'fake';
    this.hostId = options.hostId ?? 'fake';
    this.deadlines = options.deadlines ?? { provisionMs: 60_000, bootMs: 30_000, stopMs: 15_000 };
    this.capabilities = {
      isolation: 'none',
      pause: 'stop-keep-workspace',
      survivesSchedulerRestart: true,
      confirmsExit: true,
      watch: true,
      logs: true,
      networkPolicy: false,
      resourceLimits: false,
      images: false,
      ...options.capabilities,
    };
  }

  create(spec: InstanceSpec): Promise<ProviderObservation> {
    return this.call('create', spec, (fault) => {
      requirePlainEnvironment(spec.template);
      return fault.withoutEffect ? Promise.resolve({ phase: 'running' } as const) : this.world.inTurn(spec.vmId, () => this.start(spec));
    });
  }

  private async start(spec: InstanceSpec): Promise<ProviderObservation> {
    const known = this.world.find(spec, this.cluster);
    if (known !== undefined && known.end === undefined) return { phase: 'running', ref: refOf(known) };
    if (this.world.of(this.cluster, spec.vmId).some(({ epoch }) => epoch > spec.epoch)) return { phase: 'unknown', text: 'a newer incarnation is on record' };
    const bootstrap = await spec.bootstrap();
    if (bootstrap === undefined) return { phase: 'unknown', text: 'somebody else is starting it' };
    return seen(this.world.start(spec, this.cluster, spec.userId, bootstrap, this.by));
  }

  observe(key: IncarnationKey): Promise<ProviderObservation> {
    return this.call('observe', key, async () => seen(this.world.find(key, this.cluster)));
  }

  destroy(key: IncarnationKey, { ref, force }: DestroyOptions): Promise<ProviderObservation> {
    return this.call('destroy', key, async (fault) => {
      if (fault.withoutEffect) return { phase: 'absent' };
      const found = this.world.find(key, this.cluster);
      if (found === undefined) return { phase: 'absent' };
      if (ref !== undefined && ref.id !== found.id && found.end === undefined) {
        throw new ProviderError('IDENTITY_MISMATCH', `${key.vmId}/${key.epoch} is instance ${found.id}, not ${ref.id}; nothing was touched`);
      }
      this.world.end(found, force ? { signal: 'SIGKILL' } : { exitCode: 0 }, this.by);
      return seen(found);
    });
  }

  list(): Promise<readonly ListedInstance[]> {
    return this.call('list', undefined, async () =>
      this.world
        .running()
        .filter(({ cluster }) => cluster === this.cluster)
        .map((instance) => ({
          vmId: instance.vmId,
          epoch: instance.epoch,
          name: `fake-${instance.id}`,
          ageMs: this.world.clock.now() - instance.startedAt,
          ref: refOf(instance),
        })),
    );
  }

  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void {
    this.watcher?.cancel();
    this.watcher = undefined;
    if (keys.length === 0) return;
    const look = (): void => {
      this.watcher = this.world.clock.setTimeout(look, WATCH_MS);
      if (this.world.watchIsLost) return;
      for (const key of keys) if (this.world.find(key, this.cluster)?.end !== undefined) onChange(key);
    };
    this.watcher = this.world.clock.setTimeout(look, WATCH_MS);
  }

  async logs(vmId: string, { tailBytes }: { readonly tailBytes: number }): Promise<string | undefined> {
    const newest = this.world
      .of(this.cluster, vmId)
      .sort((one, other) => one.epoch - other.epoch)
      .at(-1);
    return newest === undefined ? undefined : Buffer.from(newest.log.join('\n')).subarray(-tailBytes).toString('utf8');
  }

  async workspaces(): Promise<readonly ListedWorkspace[]> {
    const now = this.world.clock.now();
    return [...this.world.workspaces].map(([vmId, { usedAt }]) => ({ vmId, idleMs: this.world.running(vmId).length > 0 ? 0 : now - usedAt }));
  }

  removeWorkspace(vmId: string): Promise<void> {
    return this.call('removeWorkspace', { vmId, epoch: 0 }, async (fault) => {
      if (this.world.running(vmId).length > 0) throw new ProviderError('IDENTITY_MISMATCH', `${vmId} still runs: its workspace was not removed`);
      if (!fault.withoutEffect) this.world.workspaces.delete(vmId);
    });
  }

  async highestEpoch(): Promise<number> {
    return this.world.highestEpoch;
  }

  async close(): Promise<void> {
    this.watch([], () => {});
  }

  /** One call with whatever the world lets go wrong with it. */
  private async call<T>(operation: FakeOperation, key: IncarnationKey | undefined, work: (fault: FakeFault) => Promise<T>): Promise<T> {
    const fault = this.world.fault(operation, key, this.by);
    if (fault.delayMs !== undefined) await this.world.clock.sleep(fault.delayMs);
    if (fault.failBefore !== undefined) throw new ProviderError(fault.failBefore, `${operation} failed before it did anything`);
    const outcome = await work(fault);
    if (fault.failAfter !== undefined) throw new ProviderError(fault.failAfter, `${operation} failed after it was done`);
    return fault.unknown && isObservation(operation) ? ({ phase: 'unknown', text: 'the provider does not say' } as T) : outcome;
  }
}

function isObservation(operation: FakeOperation): boolean {
  return operation === 'create' || operation === 'observe' || operation === 'destroy';
}

function seen(instance: FakeInstance | undefined): ProviderObservation {
  if (instance === undefined) return { phase: 'absent' };
  if (instance.end === undefined) return { phase: 'running', ref: refOf(instance) };
  return { phase: 'exited', ...instance.end, text: instance.log.join('\n') };
}

function refOf({ id }: FakeInstance): ProviderRef {
  return { id };
}
