import type { MessageRange, SessionMessage } from '../domain/session-ranges.js';

/** Which session, as whoever appends to it knows it. */
export interface SessionIdentity {
  readonly sessionId: string;
  readonly owner: string;
  readonly sessionKey: string;
  readonly agentId?: string;
}

export interface KeptMessage extends SessionMessage {
  readonly messageId: string;
  readonly runId?: string;
  /** Estimated. */
  readonly tokens: number;
  readonly at: Date;
}

export interface NewMessage extends Omit<KeptMessage, 'seq'> {
  /** Place in the transcript that it comes from. */
  readonly sourceSeq?: number;
}

/** A session with its marks; `compactedUpto` ≤ `flushedUpto` ≤ `lastSeq`, always. */
export interface SessionRecord extends SessionIdentity {
  readonly lastSeq: number;
  readonly flushedUpto: number;
  readonly compactedUpto: number;
  readonly compactions: number;
  /** Value of `compactions` when it was last flushed; null: never. */
  readonly flushedCycle: number | null;
  readonly summary?: string;
}

export type AppendOutcome =
  | { readonly result: 'appended'; readonly appended: number; readonly duplicates: number; readonly record: SessionRecord }
  /** An earlier message of the transcript has not come yet. */
  | { readonly result: 'early' }
  /** The session was deleted or its owner erased: it does not come back. */
  | { readonly result: 'gone' }
  | { readonly result: 'foreign' };

export interface SessionStore {
  /** One transaction; messages that are there already are counted and left alone. `inOrder`: refuse a message whose predecessor is missing. */
  append(tenant: string, session: SessionIdentity, messages: readonly NewMessage[], at: Date, inOrder: boolean): Promise<AppendOutcome>;
  read(tenant: string, sessionId: string): Promise<SessionRecord | undefined>;
  /** Behind `after`, oldest first. */
  messages(tenant: string, sessionId: string, after: number, limit: number): Promise<KeptMessage[]>;
  /** What all messages behind `after` take. */
  load(tenant: string, sessionId: string, after: number): Promise<{ readonly tokens: number; readonly bytes: number }>;
  /** Settles the range of a flush up to `upto`, or gives the one that was begun and not ended. Undefined: nothing to do. */
  beginFlush(tenant: string, sessionId: string, upto: number, at: Date): Promise<MessageRange | undefined>;
  /** Ends a flush: its messages are memories now. `ended` is false when somebody else has ended it; undefined: the session is gone. */
  endFlush(tenant: string, sessionId: string, range: MessageRange, at: Date): Promise<{ readonly ended: boolean; readonly record: SessionRecord } | undefined>;
  /** Moves the mark of compaction; undefined when it is there or beyond already, or the session is gone. */
  compact(tenant: string, sessionId: string, upto: number, summary: string, at: Date): Promise<SessionRecord | undefined>;
  /** Removes the messages of a session for good; a late redelivery brings nothing back. */
  forget(tenant: string, sessionId: string, at: Date): Promise<number>;
}

export interface SessionRetention {
  /** Removes messages that left the context and are older than `messages`, and traces of sessions that went before `traces`; returns how many. */
  sweepSessions(tenant: string, before: { readonly messages: Date; readonly traces: Date }, limit: number): Promise<number>;
}

/** Makes lasting statements of a conversation with a model. Optional: without one the episodes are all there is. */
export interface SessionSummariser {
  summarise(messages: readonly KeptMessage[], signal: AbortSignal): Promise<{ readonly facts: readonly string[]; readonly summary?: string }>;
}
