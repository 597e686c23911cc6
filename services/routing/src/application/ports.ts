import type { CommandContract, EventContract, InputOf, RunEnd, routingContracts } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { AttachmentInfo } from '../domain/run-request.js';
import type { QueueMode } from '../domain/queue-policy.js';
import type { ReplyRoute } from '../domain/reply-route.js';
import type { SessionEntry } from '../domain/session-entry.js';
import type { ChannelStatements } from './channel-ports.js';
import type { GrantStatements, SessionGrant } from './grant-ports.js';
import type { SendStatements } from './send-ports.js';
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
  readonly entry: SessionEntry;
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
  readonly configRevision: number;
  /** The run that took this one's message along. */
  readonly mergedInto?: string | undefined;
  readonly queueMode: QueueMode;
  /** Where in which channel the answer goes. */
  readonly replyRoute?: ReplyRoute | undefined;
}

export const isOpen = (run: { readonly status: RunStatus }): boolean => run.status === 'queued' || run.status === 'started';

/** Something to be published once the transaction has committed. `id` names the fact, so that repeating a step repeats the id. */
export interface Outgoing<C extends EventContract | CommandContract = EventContract | CommandContract> {
  readonly contract: C;
  readonly tenant: string;
  readonly key: readonly string[];
  readonly data: InputOf<C>;
  readonly id: string;
  /** The fact is no work any more but a dead letter, shown and repeated by `plexus dlq`. */
  readonly parked?: { readonly consumer: string; readonly code: string; readonly reason: string; readonly attempts: number } | undefined;
}

export interface MessageDraft {
  readonly messageId: string;
  readonly role: Role;
  readonly text: string;
  readonly runId?: string | undefined;
  readonly label?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly sender?: routingContracts.Sender | undefined;
  readonly attachments?: readonly AttachmentInfo[] | undefined;
  /** When it was said, for messages of a former place; absent: now. */
  readonly at?: Date | undefined;
}

export interface RunDraft {
  readonly runId: string;
  readonly requestHash: string;
  readonly messageSeq: number;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
  /** False: it waits behind the active run. */
  readonly started: boolean;
  readonly configRevision: number;
  readonly queueMode: QueueMode;
  readonly replyRoute?: ReplyRoute | undefined;
}

export interface MessageContent {
  readonly text: string;
  readonly attachments?: readonly AttachmentInfo[] | undefined;
}

/** Statements of one transaction. A session that was opened or locked stays locked until its end: whoever changes a session goes through that. */
export interface RoutingTransaction {
  /** Creates the session under `sessionId`, or locks the one that exists. */
  openSession(address: SessionAddress, sessionId: string, label?: string): Promise<{ session: StoredSession; created: boolean }>;
  lockSession(owner: Owner, sessionKey: string): Promise<StoredSession | undefined>;
  lockSessionByRef(ref: number): Promise<StoredSession | undefined>;
  /** Null removes the label. */
  setLabel(session: StoredSession, label: string | null): Promise<void>;
  setEntry(session: StoredSession, entry: SessionEntry): Promise<void>;
  /** Has the waiting messages of the session handed out at that time; undefined: no time is set any more. */
  setRelease(session: StoredSession, at: number | undefined): Promise<void>;
  /** One session whose time of release has come, locked; others take the next one. */
  claimRelease(): Promise<StoredSession | undefined>;
  /** Removes the session with everything that hangs on it. */
  deleteSession(session: StoredSession): Promise<void>;
  /** Gives the session a new incarnation with an empty transcript. */
  renewSession(session: StoredSession, sessionId: string): Promise<StoredSession>;
  /** The run of that id, if there is one, and how many runs of the session are waiting. */
  findRunAndQueue(owner: Owner, runId: string, sessionId: string): Promise<{ run?: StoredRun | undefined; queued: number }>;
  findRun(id: number): Promise<StoredRun | undefined>;
  /** Queued and started runs of an incarnation, oldest first. */
  openRuns(sessionId: string): Promise<StoredRun[]>;
  findMessageByKey(session: StoredSession, idempotencyKey: string): Promise<{ messageId: string; text: string } | undefined>;
  /** Those of the keys under which the session has a message, in any incarnation. */
  knownMessageKeys(session: StoredSession, idempotencyKeys: readonly string[]): Promise<ReadonlySet<string>>;
  /** What a message says and brings along. */
  messageContent(sessionId: string, seq: number): Promise<MessageContent>;
  /** Makes stored files those of the session. False when one of them is not whole, of somebody else, or of a session already. */
  bindAttachments(session: StoredSession, uploader: string, attachmentIds: readonly string[]): Promise<boolean>;
  /** Appends with the next seq of the session. */
  appendMessage(session: StoredSession, draft: MessageDraft): Promise<TranscriptMessage>;
  /** Appends several without attachments, in their order with the next seqs, in one statement. */
  appendMessages(session: StoredSession, drafts: readonly Omit<MessageDraft, 'attachments'>[]): Promise<TranscriptMessage[]>;
  /** The newest messages, oldest first, without the one at `exceptSeq` and without messages whose run is still waiting. */
  history(sessionId: string, exceptSeq: number, limit: { messages: number; bytes: number }): Promise<HistoryMessage[]>;
  insertRun(session: StoredSession, draft: RunDraft): Promise<StoredRun>;
  /** Marks a waiting run as handed out and as the session's active one. */
  startRun(session: StoredSession, run: StoredRun): Promise<void>;
  /** Has waiting runs end together with the one that took their messages along. */
  mergeRuns(leader: StoredRun, merged: readonly StoredRun[]): Promise<void>;
  /** Closes an open run; the session's active run is cleared if it was this one. */
  endRun(session: StoredSession, run: StoredRun, end: RunEnd): Promise<void>;
  movePosition(session: StoredSession, position: StreamPosition): Promise<void>;
  /** Has a timed-out run looked at again in `delayMs`; false when it is no longer started. */
  postpone(id: number, delayMs: number): Promise<boolean>;
  publish(outgoing: readonly Outgoing[]): Promise<void>;
  readonly channels: ChannelStatements;
  readonly sends: SendStatements;
  readonly grants: GrantStatements;
}

export interface RoutingStore {
  transaction<T>(work: (tx: RoutingTransaction) => Promise<T>): Promise<T>;
  findSession(owner: Owner, sessionKey: string): Promise<StoredSession | undefined>;
  findRun(owner: Owner, runId: string): Promise<StoredRun | undefined>;
  /** A run with the stream position of its session, while that incarnation is the current one. */
  findRunInSession(tenant: string, sessionId: string, runId: string): Promise<{ run: StoredRun; position?: StreamPosition | undefined } | undefined>;
  /** Messages below `before`, the newest first come, oldest first returned; stops early above `maxBytes`. */
  messages(sessionId: string, page: { before?: number | undefined; limit: number; maxBytes: number }): Promise<TranscriptMessage[]>;
  /** Messages behind `after`, oldest first; stops early above `maxBytes`, though never before the first. */
  messagesAfter(sessionId: string, page: { after: number; limit: number; maxBytes: number }): Promise<TranscriptMessage[]>;
  /** Takes started runs that are due, for `leaseMs`; two replicas never get the same. */
  claimDueRuns(limit: number, leaseMs: number): Promise<StoredRun[]>;
  /** Sets when a started run is looked at next: at that time of the stream's clock plus its timeout. */
  noteActivity(id: number, lastEventAt: Date): Promise<void>;
  /** What a user was granted on a session. */
  findGrant(session: StoredSession, grantee: string): Promise<SessionGrant | undefined>;
  /** The run `activeRunId` says that it took the waiting message of `runId` along; nothing happens when it is not the active one any more. */
  confirmSteer(tenant: string, sessionId: string, message: { runId: string; activeRunId: string }): Promise<void>;
}

export interface ListedSession {
  readonly session: StoredSession;
  readonly lastMessage?: TranscriptMessage | undefined;
  /** With shared ones. */
  readonly access?: 'read' | 'write' | undefined;
}

/** Lists sessions; ordinary reading, nothing here is hot. */
export interface SessionCatalogue {
  list(
    owner: Owner,
    query: {
      limit: number;
      offset: number;
      search?: string | undefined;
      agentId?: string | undefined;
      includeLastMessage: boolean;
      /** Sessions of others that the owner holds a grant on, instead of its own. */
      shared: boolean;
    },
  ): Promise<{ sessions: ListedSession[]; total: number }>;
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
  /** The server that was asked has not got as far as `upTo` itself: it says nothing about the run. */
  readonly behind?: boolean | undefined;
  readonly end?: { readonly end: RunEnd; readonly position: StreamPosition } | undefined;
  /** When the stream stored the run's last event that counts. */
  readonly lastEventAt?: Date | undefined;
  /** With an end: run ids of the further messages that the run took along before it. */
  readonly tookAlong?: readonly string[] | undefined;
}
