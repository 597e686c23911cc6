import type { StoredSubscription, SubscriptionKey } from '../../domain/managing/subscription-terms.js';
import type { Owner } from '../ports.js';
import type { Decided } from './log-change.js';

/** Which subscription of which user is meant. */
export type Lookup = { readonly user: string } & ({ readonly id: string } | SubscriptionKey);

/** What a user has already. */
export interface Usage {
  readonly count: number;
  /** As `bytesOf` counts. */
  readonly bytes: number;
}

export interface SubscriptionChanges {
  readonly inserts: readonly StoredSubscription[];
  readonly updates: readonly StoredSubscription[];
  readonly removals: readonly StoredSubscription[];
}

export interface SubscriptionPage {
  readonly scopeKind?: SubscriptionKey['scopeKind'];
  readonly scopeRef?: string;
  /** Id of the last one of the page before. */
  readonly after?: string;
  readonly limit: number;
}

export interface SubscriptionStore {
  /**
   * In one transaction, alone for these users: looks up, decides, writes rows and log entries. `decide` must be pure: a deadlock runs it
   * again. What is found has the order of `lookups`; who has nothing has no usage.
   */
  change<T>(
    tenant: string,
    lookups: readonly Lookup[],
    decide: (found: readonly (StoredSubscription | undefined)[], usage: ReadonlyMap<string, Usage>) => Decided<T> & { readonly changes?: SubscriptionChanges },
  ): Promise<T>;
  get(owner: Owner, id: string): Promise<StoredSubscription | undefined>;
  /** By id, which is the order in which they were made. */
  page(owner: Owner, page: SubscriptionPage): Promise<StoredSubscription[]>;
}
