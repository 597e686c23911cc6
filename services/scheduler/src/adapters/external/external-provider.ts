import {
  type DestroyOptions,
  type IncarnationKey,
  type InstanceSpec,
  type ListedInstance,
  type ListedWorkspace,
  type ProviderCapabilities,
  ProviderError,
  type ProviderObservation,
  type VmProvider,
} from '../../application/provider-port.js';
import type { EpochCache } from '../../application/ports.js';

/** What the scheduler itself knows of incarnations that somebody else runs. */
export interface ExternalIncarnations {
  /** False: this incarnation is not the current one, or is being ended: nobody may be let in as it. */
  open(key: IncarnationKey): Promise<boolean>;
  /** Whether somebody who shows the secrets of this incarnation would be let in now. */
  isAdmitted(key: IncarnationKey): Promise<boolean>;
  /** Makes every ticket of it worthless that was not used yet. */
  revoke(key: IncarnationKey): Promise<void>;
  /** A fencing number above all that were given out, and below all that will be. */
  nextEpoch(): Promise<number>;
  list(): Promise<readonly (IncarnationKey & { readonly ageMs: number })[]>;
  highestEpoch(): Promise<number>;
}

export interface ExternalProviderOptions {
  readonly incarnations: ExternalIncarnations;
  readonly epochs: EpochCache;
  /** How long a VM waits for its runtime. */
  readonly attachMs: number;
}

/**
 * Runtimes that somebody else starts, anywhere. Nothing is started or ended here: an incarnation runs from the moment it may be attached, its lease says whether
 * it lives, and to destroy it means to fence it, that is, to accept nothing from it any more.
 */
export class ExternalProvider implements VmProvider {
  readonly name = 'external';
  readonly kind = 'external';
  readonly hostId = 'external';
  readonly capabilities: ProviderCapabilities = {
    isolation: 'none',
    pause: 'none',
    survivesSchedulerRestart: true,
    confirmsExit: false,
    watch: false,
    logs: false,
    networkPolicy: false,
    resourceLimits: false,
    images: false,
  };
  readonly deadlines: VmProvider['deadlines'];

  constructor(private readonly options: ExternalProviderOptions) {
    this.deadlines = { provisionMs: 30_000, bootMs: options.attachMs, stopMs: 15_000 };
  }

  /** Secrets are not asked for here: they are made when somebody attaches. */
  async create(spec: InstanceSpec): Promise<ProviderObservation> {
    const { template } = spec;
    if (template?.image !== undefined || template?.command !== undefined || template?.environment !== undefined || template?.network !== undefined) {
      throw new ProviderError(
        'INVALID_SPEC',
        'whoever starts an external runtime decides how: a template for it names no image, command, environment or network',
      );
    }
    if (!(await this.options.incarnations.open(spec))) return { phase: 'unknown', text: 'it is not the current incarnation' };
    return { phase: 'running', ref: refOf(spec), text: 'waiting for a runtime: plexus vm attach' };
  }

  async observe(key: IncarnationKey): Promise<ProviderObservation> {
    return (await this.options.incarnations.isAdmitted(key)) ? { phase: 'running', ref: refOf(key) } : { phase: 'absent' };
  }

  async destroy(key: IncarnationKey, { ref }: DestroyOptions): Promise<ProviderObservation> {
    if (ref !== undefined && (ref.vmId !== key.vmId || ref.epoch !== key.epoch)) {
      throw new ProviderError('IDENTITY_MISMATCH', `${key.vmId}/${key.epoch} is not ${ref.vmId}/${ref.epoch} that was named; nothing was touched`);
    }
    const { incarnations, epochs } = this.options;
    await incarnations.revoke(key);
    if (await incarnations.isAdmitted(key)) return { phase: 'unknown', text: 'its record still admits it' };
    // Gateways refuse early, and close its socket at the next beat.
    await epochs.raise(key.vmId, await incarnations.nextEpoch());
    return { phase: 'absent' };
  }

  async list(): Promise<readonly ListedInstance[]> {
    const found = await this.options.incarnations.list();
    return found.map(({ vmId, epoch, ageMs }) => ({ vmId, epoch, ageMs, name: `${vmId}/${epoch}`, ref: refOf({ vmId, epoch }) }));
  }

  /** Nothing to be watched: the lease tells. */
  watch(): void {}

  async logs(): Promise<string | undefined> {
    return undefined;
  }

  async workspaces(): Promise<readonly ListedWorkspace[]> {
    return [];
  }

  /** It is not ours. */
  async removeWorkspace(): Promise<void> {}

  highestEpoch(): Promise<number> {
    return this.options.incarnations.highestEpoch();
  }

  async close(): Promise<void> {}
}

function refOf({ vmId, epoch }: IncarnationKey): { readonly vmId: string; readonly epoch: number } {
  return { vmId, epoch };
}
