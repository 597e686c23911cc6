import type { HostView, PlacementRequest } from '../domain/placement.js';
import type { VmPolicy } from '../domain/policy.js';
import type { Decision, InstanceView, Move, Observation, VmView } from '../domain/vm.js';
import type { VmState } from '../domain/vm-state.js';

export type {
  AdmissionStore,
  AttachResult,
  Attachment,
  Beat,
  BeatAnswer,
  ConnectionStore,
  FrameBatch,
  FrameResult,
  InboxStore,
  OutboxPage,
  WireKey,
} from './connection-ports.js';
export type { FallbackModel, HandOver, MarkedPosition, RunAddress, RunCommand, RunRow, RunStore, SessionLog, Steer, Touched } from './run-ports.js';

/** Whose VM: one live VM exists per owner key. */
export interface OwnerKey {
  readonly tenant: string;
  /** User id; `*` for the scope `shared`. */
  readonly subject: string;
  readonly scope: string;
}

/** One incarnation, as providers name it. */
export interface IncarnationKey {
  readonly vmId: string;
  readonly epoch: number;
}

/** What a new runtime gets on its stdin, once. */
export interface Bootstrap {
  readonly ticket: string;
  readonly token: string;
  readonly bootstrapSecret: string;
  readonly modelApiKey?: string;
}

export interface CreateSpec extends IncarnationKey {
  readonly userId: string;
  readonly tenant?: string;
  /**
   * Mints the secrets of this incarnation; called only when a process is really about to be started. Undefined: the claim on this VM
   * is over, nothing may be started.
   */
  readonly bootstrap: () => Promise<Bootstrap | undefined>;
}

/** What is known of a provider's instance; kept with the incarnation for people and for the next replica. */
export type ProviderRef = Readonly<Record<string, string | number>>;

/** A place where VMs run. Every call is idempotent, names one epoch, and never touches another epoch of the same VM. */
export interface Provider {
  readonly name: string;
  /** Starts the incarnation unless it runs already. Rejects when it cannot be started. */
  create(spec: CreateSpec): Promise<Observation & { readonly ref?: ProviderRef }>;
  observe(key: IncarnationKey): Promise<Observation>;
  /** Ends it: politely, then by force; says what is left. */
  destroy(key: IncarnationKey, options: { readonly force: boolean; readonly graceMs?: number }): Promise<Observation>;
  /** Every incarnation of this cluster that has anything running here, also those nobody knows about, with the age of its oldest process. */
  list(): Promise<readonly (IncarnationKey & { readonly ageMs: number })[]>;
  /** Calls back, repeatedly until it is destroyed or forgotten, when one of `keys` no longer runs. Replaces what was watched before. */
  watch(keys: readonly IncarnationKey[], onGone: (key: IncarnationKey) => void): void;
}

/** A VM with everything a decision needs, read at one moment. */
export interface VmSnapshot {
  readonly vm: VmView;
  readonly owner: OwnerKey;
  readonly instance: InstanceView | undefined;
  readonly rowVersion: number;
  readonly claimOwner: string | undefined;
  /** Open runs that the current incarnation has not been handed. */
  readonly pendingHandOvers: number;
  /** Limits of this VM that differ from those of the service: its template's, its agent's. */
  readonly limits: Partial<Pick<VmPolicy, 'idleMs' | 'retentionMs' | 'maxLifeMs'>>;
  readonly provider: string | undefined;
  readonly hostId: string | undefined;
  readonly template: TemplateRow | undefined;
  readonly excludedHosts: readonly string[];
  readonly allowEmptyWorkspace: boolean;
  /** Database clock. */
  readonly now: number;
}

/** What an incarnation is made from. */
export interface TemplateRow {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  /** Undefined: the default provider. */
  readonly provider: string | undefined;
  readonly isolationMin: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: that of the service. */
  readonly maxLifeMs?: number | undefined;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Where the next incarnation of a VM is made, noted with the intent. */
export interface Site {
  readonly provider: string;
  readonly hostId: string;
  readonly name: string;
}

/** The VM rows, as the reconciler uses them. */
export interface VmStore {
  /** Claims at most `limit` due rows that this host may act on, for {@link CLAIM_MS}. */
  claimDue(limit: number): Promise<string[]>;
  load(vmId: string): Promise<VmSnapshot | undefined>;
  /**
   * Writes a decision if the row is still as `snapshot` shows it and still claimed by this replica; false otherwise. Renews the claim, or gives
   * it up when nothing remains to be done now.
   */
  commit(
    snapshot: VmSnapshot,
    decision: Decision,
    outcome: { readonly ref?: ProviderRef | undefined; readonly release: boolean; readonly site?: Site },
  ): Promise<boolean>;
  /** Claims one row, due or not, and whoever had it: the holder loses its next compare-and-set. False: the row is over. */
  seize(vmId: string): Promise<boolean>;
  /** Gives the claim up; the row is due when it is due. */
  release(vmId: string): Promise<void>;
  /** Gives every claim of this replica up. */
  releaseAll(): Promise<void>;
  /** Gives the claim up and asks for another look after `afterMs`, after a failure. */
  retryLater(vmId: string, afterMs: number): Promise<void>;
  /** Makes a row due now. */
  wake(vmId: string): Promise<void>;
  /** Incarnations of a provider on a host that are not gone. */
  present(provider: string, hostId: string): Promise<IncarnationKey[]>;
  /** Hosts of a provider, with what is on them. */
  hosts(provider: string): Promise<readonly HostView[]>;
  /** Notes that database and mesh were seen; after a gap every lease is extended by one full grace. True when it was. */
  pulse(): Promise<boolean>;
  /**
   * VMs whose host does not act and whose lease ran out become `suspect` with the reason `WORKSPACE_HOST_DOWN`, and come back when they beat again. Nothing is
   * ended: whether they still run, only their host can say. Returns the edges taken.
   */
  noteHostsDown(): Promise<readonly { readonly tenant: string; readonly vmId: string; readonly move: Move }[]>;
  /** Deletes what is only kept for a while. */
  prune(): Promise<void>;
  countByState(): Promise<ReadonlyMap<VmState, number>>;
  /** Age of the oldest heartbeat of VMs that are ready, in milliseconds. */
  oldestBeatMs(): Promise<number>;
}

export type { HostView, PlacementRequest };

/** How long a replica may work on a VM before another takes over; every provider call is shorter. */
export const CLAIM_MS = 10_000;

/** Answer to one look for the VM of an owner key. */
export type EnsureStep =
  | {
      readonly kind: 'live';
      readonly vmId: string;
      readonly epoch: number;
      readonly state: VmState;
      readonly created: boolean;
      readonly resumed: boolean;
      /** It came from a warm pool. */
      readonly warm?: boolean;
      readonly staleTemplate?: boolean;
      readonly reason?: string;
    }
  /** The last one is being ended for good; a new one can be made when it is gone. */
  | { readonly kind: 'ending'; readonly vmId: string; readonly epoch: number; readonly state: VmState }
  /** The last one failed a moment ago. */
  | { readonly kind: 'cooling'; readonly vmId: string; readonly epoch: number; readonly reason: string }
  /** The tenant, or this user, has as many as it may have. */
  | { readonly kind: 'quota'; readonly limit: number; readonly live: number; readonly what: 'tenant' | 'user' | 'starting' }
  /** Starts of this template fail everywhere at the moment. */
  | { readonly kind: 'broken'; readonly provider: string; readonly retryAfterMs: number }
  /** No such template, or none that may be used. */
  | { readonly kind: 'no-template'; readonly name: string }
  /** Somebody else was faster; look again. */
  | { readonly kind: 'contended' };

/** How a VM is wanted, beside whose it is. */
export interface VmWish {
  /** Name; undefined: the default. */
  readonly template?: string | undefined;
  /** Undefined: that of the template or the service. */
  readonly idleMs?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly allowEmptyWorkspace?: boolean | undefined;
  /** Who asks, for the activity list. */
  readonly source?: string | undefined;
}

export type DesiredChange = 'pause' | 'resume' | 'terminate' | 'touch' | 'drain' | 'cancel-drain';

export interface OwnerStore {
  /** Finds, resumes, claims or creates, in one step. `newId` is used only when a row is created. */
  ensure(key: OwnerKey, newId: string, wish?: VmWish): Promise<EnsureStep>;
  /** Writes what somebody wants, for a VM of this owner (or of the tenant, when `subject` is undefined). `busy`: as many of the tenant start as may at once. */
  change(
    vmId: string,
    who: { readonly tenant: string; readonly subject: string | undefined },
    change: DesiredChange,
    source: string,
  ): Promise<'changed' | 'same' | 'unknown' | 'over' | 'busy'>;
  /** The session is over: its VM forgets it, a VM of its own is terminated. Returns the VM that was. */
  endSession(
    key: { readonly tenant: string; readonly subject: string | undefined },
    sessionId: string,
    reason: string,
  ): Promise<{ readonly terminated?: string; readonly queued?: string }>;
  /** Removes what is kept of a session that is over: snapshots, messages, which VM had it. False while a run of it has no end: then it is to be asked again. */
  forgetSession(tenant: string, sessionId: string): Promise<boolean>;
}

/** How many VMs a tenant may have; undefined: no limit. */
export type VmQuota = (tenant: string) => number | undefined;

/** Lossy signals between replicas and gateways. Never needed for correctness. */
export interface Hints {
  /** Look at this VM now. */
  wake(tenant: string, vmId: string): void;
  /** The outbox of this VM has new frames. */
  out(tenant: string, vmId: string): void;
}

/** `PLEXUS_VM_EPOCH`: lets gateways reject old incarnations early. A cache: the database decides. */
export interface EpochCache {
  /** Raises the entry; never lowers it. */
  raise(vmId: string, epoch: number): Promise<void>;
}
