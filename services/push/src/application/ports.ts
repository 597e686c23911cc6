import type { Decision } from '../domain/decide.js';
import type { InboxItem, InboxPosition, ItemState } from '../domain/inbox-item.js';
import type { IncomingEvent } from '../domain/incoming-event.js';
import type { FollowedScope } from '../domain/subscription.js';

/** What the use cases need from the world; `src/adapters` provides it. */

/** Whose subscriptions or inbox a call is about: both come from the verified token. */
export interface Owner {
  readonly tenant: string;
  readonly user: string;
}

/** Finds the subscriptions that may cover an event. May return more than do; the matcher decides. */
export interface SubscriptionIndex {
  candidatesFor(event: IncomingEvent): Promise<FollowedScope[]>;
}

/**
 * How an event stands with a user when its decision begins: `new`, `redelivered` (this very message was decided already) or
 * `repeated` (the same event was published again).
 */
export type Sighting = 'new' | 'redelivered' | 'repeated';

export interface PlacedDecision {
  readonly decision: Decision;
  /** Present when it was sent. */
  readonly item?: InboxItem;
}

/** One transaction of the ledger. Whatever it wrote becomes visible together, or not at all. */
export interface LedgerTransaction {
  /** Claims the event for these users (given in lock order) and says how each of them stands to it. */
  claim(event: IncomingEvent, users: readonly string[]): Promise<ReadonlyMap<string, Sighting>>;
  /** Takes the next offset of each user's inbox (given in lock order) and keeps those inboxes locked until the end. */
  nextPositions(tenant: string, users: readonly string[]): Promise<ReadonlyMap<string, InboxPosition>>;
  /** Writes decisions, inbox items, and the facts to be published about them. */
  record(event: IncomingEvent, placed: readonly PlacedDecision[]): Promise<void>;
}

export interface DecisionLedger {
  /** Runs `work` in one transaction; after a deadlock it runs again, so `work` must do nothing but use the transaction. */
  transaction<T>(work: (transaction: LedgerTransaction) => Promise<T>): Promise<T>;
}

/** Tells open connections about new items. May be lost: gateways compare inbox heads. */
export interface InboxHints {
  itemAdded(tenant: string, user: string, position: InboxPosition, item: InboxItem): void;
}

export interface InboxHead {
  readonly user: string;
  readonly epoch: string;
  readonly head: number;
}

export interface InboxStore {
  /** The user's head; an inbox that never existed begins here with `epoch`. */
  openHead(owner: Owner, epoch: string): Promise<InboxHead>;
  /** Heads of those users that have an inbox. */
  heads(tenant: string, users: readonly string[]): Promise<InboxHead[]>;
  unread(owner: Owner): Promise<number>;
  /** Items behind `after`, oldest first, or the newest ones, newest first. */
  page(owner: Owner, selection: { readonly after?: number; readonly limit: number }): Promise<InboxItem[]>;
  /** Moves items forward to `state`; returns how many changed. `upTo` 0 = none by offset. */
  mark(owner: Owner, selection: { readonly ids: readonly string[]; readonly upTo: number }, state: Exclude<ItemState, 'new'>, at: Date): Promise<number>;
}

/** Remembers which events were seen. */
export interface SeenEvents {
  /** Forgets at most `limit` sightings older than `before`; returns how many. */
  prune(before: Date, limit: number): Promise<number>;
}
