import type { RunEnding } from '../domain/run-ending.js';
import type { AttachedFile } from '../domain/run-frames.js';

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
  readonly attachments?: readonly AttachedFile[] | undefined;
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
