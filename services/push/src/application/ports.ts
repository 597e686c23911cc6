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
  /** As above, but undefined when there are more than `limit`. */
  fewFor(event: IncomingEvent, limit: number): Promise<FollowedScope[] | undefined>;
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
