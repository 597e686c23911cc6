import type { RunEnding } from '../domain/run-ending.js';
import type { HostView, PlacementRequest } from '../domain/placement.js';
import type { VmPolicy } from '../domain/policy.js';
import type { Decision, InstanceView, Move, Observation, VmView } from '../domain/vm.js';
import type { VmState } from '../domain/vm-state.js';

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

/** What the stream of a session says about a run, read together with the marker that was placed right behind it. */
export interface MarkedPosition {
  readonly markerSeq: number;
  /** Highest runSeq of the run before the marker. */
  readonly lastRunSeq: number;
  /** The run's end is already in the stream. */
  readonly ended: boolean;
}

/** The session's subject in `PLEXUS_EVT_SESSION`. */
export interface SessionLog {
  /**
   * Places the epoch marker of a new incarnation behind everything that is there, so that nothing slips between what was read and the marker.
   */
  mark(run: RunRow, epoch: number, vmId: string): Promise<MarkedPosition>;
  /** When the newest event of this session was stored, in milliseconds since the epoch. */
  lastEventAt(tenant: string, sessionId: string): Promise<number | undefined>;
}

/** Asked when the model before it fails. */
export interface FallbackModel {
  readonly model: string;
  readonly provider?: string | undefined;
  readonly contextTokens?: number | undefined;
}

/** Parts of `run.start` that incarnations are made from. */
export interface RunCommand {
  readonly message: string;
  readonly history: readonly { readonly role: string; readonly text: string }[];
  readonly extraSystemPrompt?: string | undefined;
  readonly systemPrompt?: string | undefined;
  readonly model?: string | undefined;
  /** In the tenant's configuration; its address and key are looked up when the message leaves. */
  readonly modelProvider?: string | undefined;
  readonly contextTokens?: number | undefined;
  readonly fallbacks?: readonly FallbackModel[] | undefined;
  readonly timeoutMs: number;
}

export interface RunAddress {
  readonly tenant: string;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string;
  readonly runId: string;
}

export interface Steer {
  /** Id of the command: a redelivery is recognised by it. */
  readonly id: string;
  readonly message: string;
}

/** An open run. */
export interface RunRow extends RunAddress {
  readonly scopeKey: string;
  readonly command: RunCommand;
  readonly traceparent: string | undefined;
  readonly vmId: string | undefined;
  readonly handedEpoch: number | undefined;
  /** Incarnations that had this run and died. */
  readonly lost: number;
  readonly cancelReason: string | undefined;
  readonly steers: readonly Steer[];
  /** Highest runSeq known at the last hand-over. */
  readonly runSeq: number;
  /** The incarnation that had it was connected, so it may have worked on it. */
  readonly previousAttached: boolean;
  /** The session's last marker; 0: none. `sessionEpoch` 0: no incarnation knows the session. */
  readonly sessionEpoch: number;
  readonly markedEpoch: number;
  readonly markerSeq: number;
}

export interface HandOver {
  readonly resume: boolean;
  readonly lost: number;
  readonly runSeq: number;
  readonly markerSeq: number | undefined;
}

/** Which VM to hint at after a command. */
export type Touched = { readonly vmId: string; readonly queued: boolean } | undefined;

export interface RunStore {
  /** Remembers the run, ensures its VM row, and queues its frames when the incarnation is there: one transaction. A repeat changes nothing. */
  start(address: RunAddress, scopeKey: string, command: RunCommand, traceparent: string | undefined, newVmId: string): Promise<Touched>;
  cancel(address: RunAddress, reason: string): Promise<Touched>;
  /** `unknown`: no start has arrived yet; `over`: nothing to steer any more. */
  steer(address: RunAddress, steer: Steer): Promise<{ readonly kind: 'queued' | 'unknown' | 'over'; readonly touched?: Touched }>;
  /** Runs without a VM that may try to get one now. */
  bindDue(newVmId: () => string): Promise<number>;
  /** Open runs of a VM that its incarnation `epoch` has not been handed. */
  pendingHandOvers(vmId: string, epoch: number): Promise<RunRow[]>;
  /** Queues the frames of a run for an incarnation. False when run or incarnation have moved on. */
  handTo(run: RunRow, vmId: string, epoch: number, how: HandOver): Promise<boolean>;
  /** Writes an end for a run that has none, into the outbox. False when it has one. */
  end(run: RunAddress, ending: RunEnding): Promise<boolean>;
  /** An end was seen in the stream at `seq`, with the VM that wrote it and its epoch; a service has neither. */
  close(
    tenant: string,
    sessionId: string,
    runId: string,
    at: { readonly seq: number; readonly vmId: string | undefined; readonly epoch: number | undefined },
  ): Promise<void>;
  /** Runs that could not get a VM in time, with the reason. */
  unavailable(limit: number): Promise<(RunAddress & { readonly reason: string })[]>;
  /** Runs that should be looked at: silent for too long, or cancelled and still not over. */
  checkDue(limit: number): Promise<(RunAddress & { readonly timeoutMs: number; readonly cancelReason: string | undefined; readonly now: number })[]>;
  checkAgainAt(run: RunAddress, at: number): Promise<void>;
}

/** An incarnation on the wire, as gateways name it. `tenant` undefined: the caller may act for every tenant. */
export interface WireKey extends IncarnationKey {
  readonly tenant: string | undefined;
}

export interface Attachment {
  readonly connGen: number;
  readonly serverRecvSeq: number;
  readonly serverSentSeq: number;
  readonly owner: OwnerKey;
  /** Sessions that this incarnation was told about. */
  readonly sessions: readonly { readonly sessionId: string; readonly sessionKey: string; readonly owner: string; readonly agentId: string }[];
  /** The edges that led to `ready`; none when it was there already. */
  readonly moves: readonly Move[];
}

export type AttachResult =
  | { readonly kind: 'attached'; readonly attachment: Attachment }
  | { readonly kind: 'fenced'; readonly currentEpoch: number }
  /** It was never connected, and its ticket was not redeemed. */
  | { readonly kind: 'no-ticket' }
  | { readonly kind: 'unknown' };

export interface Beat extends IncarnationKey {
  readonly connGen: number;
}

export interface BeatAnswer {
  readonly vmId: string;
  readonly status: 'ok' | 'fenced' | 'replaced' | 'unknown';
  readonly currentEpoch: number;
  readonly outboxHead: number;
  readonly desired: string;
}

export interface FrameBatch {
  readonly frames: readonly { readonly fseq: number; readonly frame: { readonly type: string } & Record<string, unknown> }[];
  readonly head: number;
}

/** What is waiting for an incarnation, and whose it is. */
export interface OutboxPage extends FrameBatch {
  readonly tenant: string;
  readonly provider: string;
}

/** Sockets of VMs and what goes down them. */
export interface ConnectionStore {
  attach(key: WireKey, connection: { readonly gateway: string; readonly recvSeq: number }): Promise<AttachResult>;
  /** An older connection generation changes nothing. */
  detach(key: WireKey, connGen: number): Promise<void>;
  /** Moves the leases of all in one write. */
  beat(tenant: string | undefined, beats: readonly Beat[]): Promise<readonly BeatAnswer[]>;
  /** Undefined: this epoch is not current. A replaced connection gets no frames. */
  readOutbox(key: WireKey, connGen: number, after: number, limit: number): Promise<OutboxPage | undefined>;
  ackOutbox(key: WireKey, upTo: number): Promise<void>;
}

export type FrameResult =
  | {
      readonly kind: 'applied';
      readonly recvSeq: number;
      readonly duplicate: boolean;
      readonly tenant: string;
      readonly queued: boolean;
      /** Of a frame that brought or confirmed a snapshot: the newest version that is kept of its session. */
      readonly snapshot?: number | undefined;
    }
  | { readonly kind: 'fenced' };

/** What comes up from VMs and is kept here. */
export interface InboxStore {
  /** Epoch test, mark and effect in one transaction. */
  applyFrame(key: WireKey, fseq: number, frame: { readonly type: string }): Promise<FrameResult>;
  /** Moves the mark, never back. Undefined: fenced. */
  mark(key: WireKey, upTo: number): Promise<number | undefined>;
}

/** Who may connect. */
export interface AdmissionStore {
  /**
   * Stores the hash of a new ticket in place of every unused one of this incarnation. False: this replica's claim on the VM is over, or the
   * incarnation is no longer being created.
   */
  issueTicket(key: IncarnationKey, hash: Uint8Array, ttlMs: number): Promise<boolean>;
  /** One conditional update; the same nonce again within 30 s is admitted. */
  redeem(
    hash: Uint8Array,
    tenant: string | undefined,
    userId: string,
    clientNonce: string | undefined,
  ): Promise<(IncarnationKey & { readonly tenant: string }) | undefined>;
  /** The owner of an incarnation that is current and alive; otherwise what is. */
  current(
    key: IncarnationKey,
  ): Promise<{ readonly live: boolean; readonly currentEpoch: number; readonly owner: OwnerKey; readonly wasWarm: boolean } | undefined>;
  owner(vmId: string): Promise<OwnerKey | undefined>;
  /** The owner of the incarnation whose socket has this connection generation; undefined: it is not, or no longer, that. */
  holder(key: WireKey, connGen: number): Promise<OwnerKey | undefined>;
}
