import type { CommandContract, EventContract, InputOf, RunEnd, routingContracts } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { HistoryMessage } from '../domain/run-start.js';
import type { SessionAddress } from '../domain/session-address.js';

export type TranscriptMessage = routingContracts.TranscriptMessage;
export type RunStatus = routingContracts.RunStatus;
export type Role = TranscriptMessage['role'];

/** A session in its current incarnation. */
export interface StoredSession extends SessionAddress {
  /** Internal id, the same across incarnations. */
  readonly ref: number;
  readonly sessionId: string;
  readonly label?: string | undefined;
  readonly messageCount: number;
  readonly activeRunId?: string | undefined;
  /** Where reading the session's events goes on: the stream sequence of the end of its last closed run, and the epoch floor there. */
  readonly position: StreamPosition;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface StreamPosition {
  readonly seq: number;
  readonly epoch: number;
}

export interface StoredRun extends Owner {
  /** Internal id; grows in the order of acceptance. */
  readonly id: number;
  readonly sessionRef: number;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly agentId: string;
  readonly runId: string;
  readonly status: RunStatus;
  readonly requestHash: string;
  /** Seq of the user's message. */
  readonly messageSeq: number;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
  readonly text?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly createdAt: Date;
  readonly endedAt?: Date | undefined;
}

export const isOpen = (run: { readonly status: RunStatus }): boolean => run.status === 'queued' || run.status === 'started';

/** Something to be published once the transaction has committed. `id` names the fact, so that repeating a step repeats the id. */
export interface Outgoing<C extends EventContract | CommandContract = EventContract | CommandContract> {
  readonly contract: C;
  readonly tenant: string;
  readonly key: readonly string[];
  readonly data: InputOf<C>;
  readonly id: string;
}

export interface MessageDraft {
  readonly messageId: string;
  readonly role: Role;
  readonly text: string;
  readonly runId?: string | undefined;
  readonly label?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface RunDraft {
  readonly runId: string;
  readonly requestHash: string;
  readonly messageSeq: number;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
  /** False: it waits behind the active run. */
  readonly started: boolean;
}

/** Statements of one transaction. A session that was opened or locked stays locked until its end: whoever changes a session goes through that. */
export interface RoutingTransaction {
  /** Creates the session under `sessionId`, or locks the one that exists. */
  openSession(address: SessionAddress, sessionId: string, label?: string): Promise<{ session: StoredSession; created: boolean }>;
  lockSession(owner: Owner, sessionKey: string): Promise<StoredSession | undefined>;
  lockSessionByRef(ref: number): Promise<StoredSession | undefined>;
  setLabel(session: StoredSession, label: string): Promise<void>;
  /** Gives the session a new incarnation with an empty transcript. */
  renewSession(session: StoredSession, sessionId: string): Promise<StoredSession>;
  /** The run of that id, if there is one, and how many runs of the session are waiting. */
  findRunAndQueue(owner: Owner, runId: string, sessionId: string): Promise<{ run?: StoredRun | undefined; queued: number }>;
  findRun(id: number): Promise<StoredRun | undefined>;
  /** Queued and started runs of an incarnation, oldest first. */
  openRuns(sessionId: string): Promise<StoredRun[]>;
  findMessageByKey(session: StoredSession, idempotencyKey: string): Promise<{ messageId: string; text: string } | undefined>;
  messageText(sessionId: string, seq: number): Promise<string>;
  /** Appends with the next seq of the session. */
  appendMessage(session: StoredSession, draft: MessageDraft): Promise<TranscriptMessage>;
  /** The newest messages, oldest first, without the one at `exceptSeq` and without messages whose run is still waiting. */
  history(sessionId: string, exceptSeq: number, limit: { messages: number; bytes: number }): Promise<HistoryMessage[]>;
  insertRun(session: StoredSession, draft: RunDraft): Promise<StoredRun>;
  /** Marks a waiting run as handed out and as the session's active one. */
  startRun(session: StoredSession, run: StoredRun): Promise<void>;
  /** Closes an open run; the session's active run is cleared if it was this one. */
  endRun(session: StoredSession, run: StoredRun, end: RunEnd): Promise<void>;
  movePosition(session: StoredSession, position: StreamPosition): Promise<void>;
  /** Has a timed-out run looked at again in `delayMs`; false when it is no longer started. */
  postpone(id: number, delayMs: number): Promise<boolean>;
  publish(outgoing: readonly Outgoing[]): Promise<void>;
}

export interface RoutingStore {
  transaction<T>(work: (tx: RoutingTransaction) => Promise<T>): Promise<T>;
  findSession(owner: Owner, sessionKey: string): Promise<StoredSession | undefined>;
  findRun(owner: Owner, runId: string): Promise<StoredRun | undefined>;
  /** A run with the stream position of its session, while that incarnation is the current one. */
  findRunInSession(tenant: string, sessionId: string, runId: string): Promise<{ run: StoredRun; position?: StreamPosition | undefined } | undefined>;
  /** Messages below `before`, the newest first come, oldest first returned; stops early above `maxBytes`. */
  messages(sessionId: string, page: { before?: number | undefined; limit: number; maxBytes: number }): Promise<TranscriptMessage[]>;
  /** Takes started runs that are due, for `leaseMs`; two replicas never get the same. */
  claimDueRuns(limit: number, leaseMs: number): Promise<StoredRun[]>;
  /** Sets when a started run is looked at next: at that time of the stream's clock plus its timeout. */
  noteActivity(id: number, lastEventAt: Date): Promise<void>;
}

/** Lists sessions; ordinary reading, nothing here is hot. */
export interface SessionCatalogue {
  list(
    owner: Owner,
    query: { limit: number; offset: number; search?: string | undefined; agentId?: string | undefined; includeLastMessage: boolean },
  ): Promise<{ sessions: { session: StoredSession; lastMessage?: TranscriptMessage | undefined }[]; total: number }>;
}

/** Reads a session's events back from the stream. */
export interface SessionEvents {
  /**
   * Reads the run's events behind `from` up to stream sequence `upTo` (absent: up to the newest) in stream order, and says where and how the run
   * ended, if it did. A `from` that the stream has not reached, or that `upTo` does not go beyond, is of a stream that is gone: then from the beginning.
   */
  readRun(run: { tenant: string; sessionId: string; runId: string }, from: StreamPosition, upTo?: number): Promise<RunReading>;
}

export interface RunReading {
  readonly end?: { readonly end: RunEnd; readonly position: StreamPosition } | undefined;
  /** When the stream stored the run's last event that counts. */
  readonly lastEventAt?: Date | undefined;
}
