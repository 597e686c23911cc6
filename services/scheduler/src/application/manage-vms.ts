import type { DataOf, ReplyOf, vmContracts } from '@plexus/contracts';
import { plexusError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import { explain } from '../domain/why.js';
import type { VmPolicy } from '../domain/policy.js';
import { QUOTA_SENTENCES } from './ensure-vm.js';
import type { DesiredChange, Hints, OwnerStore, VmStore } from './ports.js';
import type { ProviderRegistry } from './provider-port.js';

/** Whose VMs: one user's, or with `subject` undefined a whole tenant's. */
export interface Visibility {
  readonly tenant: string;
  readonly subject: string | undefined;
}

type Transitions = ReplyOf<typeof vmContracts.vmHistory>['transitions'];
type Activity = ReplyOf<typeof vmContracts.whyVm>['activity'];

/** Listing is ordinary reading; nothing hot goes through here. */
export interface VmCatalogue {
  find(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined>;
  /** Newest first. */
  list(who: Visibility, selection: { readonly includeTerminated: boolean; readonly limit: number }): Promise<vmContracts.VmSummary[]>;
  /** Newest first. */
  history(vmId: string, limit: number): Promise<Transitions>;
  /** Who used it, newest first. */
  activity(vmId: string): Promise<Activity>;
  /** What was used, by day, session and model, newest day first. */
  usage(who: Visibility, selection: DataOf<typeof vmContracts.usageByDay>): Promise<ReplyOf<typeof vmContracts.usageByDay>>;
  openRuns(vmId: string): Promise<{ readonly runId: string; readonly sessionKey: string }[]>;
}

/** Looking at VMs, and saying what one wants of them. */
export class ManageVms {
  constructor(
    private readonly catalogue: VmCatalogue,
    private readonly owners: OwnerStore,
    private readonly vms: Pick<VmStore, 'load'>,
    private readonly providers: ProviderRegistry,
    private readonly hints: Hints,
    private readonly policy: VmPolicy,
  ) {}

  get(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined> {
    // An id that no database can hold names nothing.
    return isStorableText(vmId) ? this.catalogue.find(who, vmId) : Promise.resolve(undefined);
  }

  list(who: Visibility, selection: { readonly includeTerminated: boolean; readonly limit: number }): Promise<vmContracts.VmSummary[]> {
    return this.catalogue.list(who, selection);
  }

  /** Writes a wish, and does not wait for it. Undefined: there is no such VM for this caller. Rejects with CONFLICT when it is over, QUOTA_EXCEEDED when too many start. */
  async change(who: Visibility, vmId: string, change: DesiredChange, source: string): Promise<vmContracts.VmSummary | undefined> {
    if (!isStorableText(vmId)) return undefined;
    const outcome = await this.owners.change(vmId, who, change, source);
    if (outcome === 'over') throw plexusError('CONFLICT', { message: 'This VM is over, or is being ended; ensure a new one.' });
    if (outcome === 'busy') throw plexusError('QUOTA_EXCEEDED', { message: QUOTA_SENTENCES.starting });
    if (outcome === 'changed') this.hints.wake(who.tenant, vmId);
    return this.catalogue.find(who, vmId);
  }

  async endSession(who: Visibility, sessionId: string, reason: string): Promise<ReplyOf<typeof vmContracts.endVmSession>> {
    if (!isStorableText(sessionId)) return {};
    const { terminated, queued } = await this.owners.endSession(who, sessionId, reason);
    if (queued !== undefined) this.hints.out(who.tenant, queued);
    if (terminated === undefined) return {};
    this.hints.wake(who.tenant, terminated);
    return { terminated };
  }

  /** The session is over and nobody will ask for it again: its VM is told, and what is kept of it goes. False while a run of it has no end; may be repeated. */
  async forgetSession(who: Visibility, sessionId: string): Promise<boolean> {
    await this.endSession(who, sessionId, 'user_closed');
    return this.owners.forgetSession(who.tenant, sessionId);
  }

  async logs(who: Visibility, vmId: string, tailBytes: number): Promise<ReplyOf<typeof vmContracts.vmLogs> | undefined> {
    if ((await this.get(who, vmId)) === undefined) return undefined;
    const snapshot = await this.vms.load(vmId);
    if (snapshot?.provider === undefined || snapshot.hostId === undefined) return {};
    const provider = this.providers.has(snapshot.provider) ? this.providers.get(snapshot.provider) : undefined;
    if (provider?.hostId !== snapshot.hostId)
      throw plexusError('UNAVAILABLE', { message: `Its log is on ${snapshot.hostId}, where another replica of the scheduler runs.` });
    const text = await provider.logs(vmId, { tailBytes });
    return text === undefined ? {} : { text };
  }

  async history(who: Visibility, { vmId, limit }: DataOf<typeof vmContracts.vmHistory>): Promise<Transitions | undefined> {
    return (await this.get(who, vmId)) === undefined ? undefined : this.catalogue.history(vmId, limit);
  }

  usage(who: Visibility, selection: DataOf<typeof vmContracts.usageByDay>): Promise<ReplyOf<typeof vmContracts.usageByDay>> {
    return selection.sessionId === undefined || isStorableText(selection.sessionId)
      ? this.catalogue.usage(who, selection)
      : Promise.resolve({ rows: [], more: false });
  }

  async why(who: Visibility, vmId: string): Promise<ReplyOf<typeof vmContracts.whyVm> | undefined> {
    const vm = await this.get(who, vmId);
    const snapshot = vm === undefined ? undefined : await this.vms.load(vmId);
    if (vm === undefined || snapshot === undefined) return undefined;
    const [runs, activity] = await Promise.all([this.catalogue.openRuns(vmId), this.catalogue.activity(vmId)]);
    const { because, until } = explain(snapshot.vm, snapshot.instance, { ...this.policy, ...snapshot.limits }, runs);
    return { vm, because: [...because], ...(until === undefined ? {} : { until: new Date(until).toISOString() }), activity };
  }
}
