import type { ChannelSend, Decision, ItemEdit, LogEvent, LogHit, LogInput, Send, SharedState, UserState } from '../domain/engine/types.js';
import type { InboxItem } from '../domain/inbox-item.js';
import type { IncomingEvent } from '../domain/incoming-event.js';
import type { FollowedScope } from '../domain/subscription.js';

/** One user whom an event concerns, as the matcher writes it into the log. */
export interface MatchedUser {
  readonly user: string;
  /** Most specific first. */
  readonly hits: readonly LogHit[];
  /** The best score of the hits. */
  readonly score: number;
  /** Why interests in words of this user were not (all) compared with the event. */
  readonly note?: string;
}

/** A part of an audience, at most 500 users, in the order of their names. */
export interface CandidateBatch {
  readonly candidates: readonly MatchedUser[];
  /** Subscriptions that were looked at for this batch and did not cover the event, each with the first rule that failed. At most 100. */
  readonly rejected: readonly { readonly user: string; readonly subscriptionId: string; readonly rule: string }[];
}

/** Whom an event concerns now. Reads only; used by explanations, and by the matcher itself. */
export interface CandidateSource {
  forEvent(event: LogEvent, tenant: string): AsyncIterable<CandidateBatch>;
}

/** A partition that this replica owns. Whoever takes it over raises the fence, and writes under the old one change nothing. */
export interface OwnedPartition {
  readonly part: number;
  readonly fence: number;
  /** Position of the last input that was decided. */
  readonly cursor: number;
}

/** Who decides what. Every duration counts on the database's clock. */
export interface PartitionLeases {
  /** Says that this replica is alive and keeps its partitions; returns those that it still owns, and how many replicas are alive. */
  renew(owner: string, held: readonly OwnedPartition[], leaseMs: number): Promise<{ readonly kept: ReadonlySet<number>; readonly alive: number }>;
  /** Takes at most `most` partitions that nobody owns any more. */
  acquire(owner: string, most: number, leaseMs: number): Promise<OwnedPartition[]>;
  /** Gives partitions back at once, so that others need not wait for the end of the lease. */
  release(owner: string, parts: readonly OwnedPartition[]): Promise<void>;
  /** This replica decides no more. */
  leave(owner: string): Promise<void>;
  /** The log began anew: its positions mean nothing any more. Timers on their way are sent again. False when the partition was lost. */
  restart(partition: OwnedPartition): Promise<boolean>;
}

/** What is stored of one user. */
export interface StoredUser {
  /** 0: nothing yet. */
  readonly rev: number;
  readonly state?: UserState;
  readonly epoch: string;
  readonly head: number;
}

export interface UserRef {
  readonly tenant: string;
  readonly user: string;
}

/** One input that is to be decided, from a partition of ours. */
export interface PartitionInputs {
  readonly partition: OwnedPartition;
  /** In their order, all behind the cursor. */
  readonly inputs: readonly LogInput[];
  /** Cursor after them: at least the last input's position. */
  readonly next: number;
}

export interface MadeDecision extends UserRef {
  readonly decision: Decision;
}
export interface MadeItem extends UserRef {
  readonly item: InboxItem;
  readonly send: Send;
}
export type TimerChange = UserRef & { readonly part: number; readonly timerId: string; readonly dueAt: number; readonly change: 'set' | 'cancel' | 'consumed' };

/** Everything that a batch of inputs changes. */
export interface DecidedBatch {
  readonly cursors: readonly { readonly partition: OwnedPartition; readonly next: number }[];
  readonly users: readonly (UserRef & { readonly part: number; readonly before: StoredUser; readonly state: UserState })[];
  readonly shared: readonly { readonly part: number; readonly tenant: string; readonly state: SharedState }[];
  readonly seen: readonly (UserRef & { readonly eventKey: string; readonly inputSeq: number; readonly at: number })[];
  readonly decisions: readonly MadeDecision[];
  readonly items: readonly MadeItem[];
  readonly edits: readonly (UserRef & { readonly edit: ItemEdit })[];
  readonly channels: readonly (UserRef & { readonly channel: ChannelSend; readonly item: InboxItem })[];
  readonly timers: readonly TimerChange[];
}

/**
 * `lost`: these partitions belong to somebody else by now. `stale`: somebody else changed what is remembered of a user (an erasure). `seen`: one of
 * the users has seen an event before that was taken for a new one. Nothing was written in any of these cases.
 */
export type CommitResult =
  | { readonly kind: 'committed' }
  | { readonly kind: 'lost'; readonly parts: readonly number[] }
  | { readonly kind: 'stale' }
  | { readonly kind: 'seen' };

/** Where decisions are kept. */
export interface DecidingStore {
  /** In the order of `users`. A user of whom nothing is known gets an inbox with `newEpoch()`. */
  loadUsers(users: readonly UserRef[], newEpoch: () => string): Promise<StoredUser[]>;
  loadShared(wanted: readonly { readonly part: number; readonly tenant: string }[]): Promise<(SharedState | undefined)[]>;
  /** For each: whether the user has seen the event in the last seven days. */
  seen(wanted: readonly (UserRef & { readonly eventKey: string })[]): Promise<boolean[]>;
  /** Items that are still in the inbox, by delivery id. */
  loadItems(wanted: readonly (UserRef & { readonly deliveryId: string })[]): Promise<Map<string, InboxItem>>;
  /** Everything or nothing, in one transaction. */
  commit(batch: DecidedBatch): Promise<CommitResult>;
}

/** A timer that fell due and is now on its way through the log. */
export interface DueTimers {
  /** Sends at most `limit` of those that are due; returns how many, and when the next one falls due (milliseconds from now). */
  fire(limit: number): Promise<{ readonly fired: number; readonly nextInMs: number | undefined }>;
}

/** Hands over the inputs of our partitions in order. Nothing is taken away before it is confirmed. */
export interface LogFeed {
  /** From now on inputs behind the cursors of these partitions are read. */
  open(partitions: readonly OwnedPartition[]): void;
  close(parts: readonly number[]): void;
  /** The first inputs of a partition that were read and not confirmed: at most `most`. `next`: cursor once they are decided. */
  peek(part: number, most: number): { readonly inputs: readonly LogInput[]; readonly next: number };
  /** Everything up to `next` is decided. */
  confirm(part: number, next: number): void;
  /** Whether anything of the partition waits. */
  waiting(part: number): boolean;
  /** How many inputs of the partition wait up to the first one that is urgent, that included; 0 when none is. */
  urgent(part: number): number;
  /** True when the log was emptied or made anew since: positions mean nothing any more. Rejects with UNAVAILABLE while nobody can say. */
  hasRestarted(): Promise<boolean>;
  stop(): Promise<void>;
}

/** One candidate for the log. */
export interface CandidateEntry extends MatchedUser {
  readonly tenant: string;
  readonly event: LogEvent;
  readonly agent?: string;
}

/** Where candidates are written. */
export interface CandidateLog {
  /** Settles when the log has stored all of them; one that is there already (the same event for the same user) is not stored again. */
  append(candidates: readonly CandidateEntry[]): Promise<void>;
}

/** An event with a large audience, on its way to its recipients. */
export interface FanOutJob {
  readonly id: string;
  readonly event: IncomingEvent;
}

/** A part of an audience that is ours until it is done, or for a while. */
export interface FanOutPage {
  readonly job: string;
  readonly page: number;
  readonly tenant: string;
  readonly event: IncomingEvent;
  readonly subscriptions: readonly FollowedScope[];
}

/** Told of every event before it counts as matched: rules that start research. Repeating an event is harmless. */
export interface EventTap {
  onEvent(seen: { readonly tenant: string; readonly event: LogEvent; readonly agent?: string }): Promise<void>;
}

/** Large audiences, as they were when their event was matched. */
export interface FanOutJobs {
  /** Keeps everyone who may be concerned, in one statement; the same job again changes nothing. */
  begin(job: FanOutJob): Promise<void>;
  /** Tenants whose jobs wait. */
  tenants(): Promise<string[]>;
  /** Takes the next page of one of the tenant's oldest `cap` jobs for `claimMs`. */
  claim(tenant: string, cap: number, claimMs: number): Promise<FanOutPage | undefined>;
  done(page: FanOutPage): Promise<void>;
}
