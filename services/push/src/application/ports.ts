import type { InboxChange, InboxItem, InboxPosition, ItemState } from '../domain/inbox-item.js';
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
  /** As above, but undefined when there are more than `limit`. */
  fewFor(event: IncomingEvent, limit: number): Promise<FollowedScope[] | undefined>;
}

/** Tells open connections about new items and what became of others. May be lost: gateways compare inbox heads. */
export interface InboxHints {
  itemAdded(tenant: string, user: string, position: InboxPosition, item: InboxItem): void;
  itemsChanged(tenant: string, user: string, change: InboxUpdate): void;
}

/** How things stand after items were marked, acknowledged or edited. */
export interface InboxUpdate {
  readonly epoch: string;
  readonly unread: number;
  readonly changes: readonly InboxChange[];
}

export interface InboxHead {
  readonly user: string;
  readonly epoch: string;
  readonly head: number;
}

/** Which items, and from where. */
export interface InboxSelection {
  /** Behind it, oldest first. */
  readonly after?: number | undefined;
  /** Below it, newest first. */
  readonly before?: number | undefined;
  readonly limit: number;
  readonly states?: readonly ItemState[] | undefined;
  readonly priorities?: readonly string[] | undefined;
  readonly kinds?: readonly string[] | undefined;
}

/** Which items a mark or an acknowledgement is about. `upTo` 0 = none by offset. */
export interface InboxTarget {
  readonly ids: readonly string[];
  readonly upTo: number;
}

/** What the log is told in the transaction of the change. */
export type InboxInput =
  | { readonly kind: 'read'; readonly deliveryIds: readonly string[]; readonly state: Exclude<ItemState, 'new'> }
  | { readonly kind: 'ack'; readonly deliveryId: string };

/** One item that a change touched. */
export interface TouchedItem extends InboxChange {
  /** It may have an escalation under way. */
  readonly escalates: boolean;
}

/** What one change touched; an item may be among both. */
export interface TouchedItems {
  readonly marked: readonly TouchedItem[];
  readonly acknowledged: readonly TouchedItem[];
}

export type InputsOf = (touched: TouchedItems) => readonly InboxInput[];

export interface InboxStore {
  /** The user's head; an inbox that never existed begins here with `epoch`. */
  openHead(owner: Owner, epoch: string): Promise<InboxHead & { readonly minOffset: number }>;
  /** Heads of those users that have an inbox. */
  heads(tenant: string, users: readonly string[]): Promise<InboxHead[]>;
  unread(owner: Owner): Promise<number>;
  /** Items behind `after`, oldest first, or the newest ones, newest first. */
  page(owner: Owner, selection: InboxSelection): Promise<InboxItem[]>;
  /**
   * Moves items forward to `state`, and tells the log in the same transaction what `inputs` makes of it. What is done is acknowledged
   * as well.
   */
  mark(owner: Owner, target: InboxTarget, state: Exclude<ItemState, 'new'>, at: Date, inputs: InputsOf): Promise<TouchedItems>;
  /** Acknowledges items, with what they escalate and what escalates them; they count as read. Otherwise as above. */
  acknowledge(owner: Owner, target: InboxTarget, at: Date, inputs: InputsOf): Promise<TouchedItems>;
  /** How these items are now. */
  changesOf(owner: Owner, ids: readonly string[]): Promise<InboxUpdate>;
}

/** Remembers which events were seen. */
export interface SeenEvents {
  /** Forgets at most `limit` sightings older than `before`; returns how many. */
  prune(before: Date, limit: number): Promise<number>;
}
