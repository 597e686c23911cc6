import type { ToldDecision } from '../../domain/explain/explanation.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';

/** Which event is meant; source and origin narrow it where ids are not unique. */
export interface EventReference {
  readonly id: string;
  readonly source?: string;
  readonly origin?: string;
}

export interface EventName {
  readonly origin: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
}

export interface GivenFeedback {
  readonly useful: boolean;
  readonly at: string;
  readonly note?: string;
}

export interface FoundDecisions {
  readonly event: EventName;
  /** Of this event: those that are no repeats first, each part oldest first; at most 100. */
  readonly decisions: readonly (ToldDecision & { readonly feedback?: GivenFeedback })[];
  /** Repeats beyond those. */
  readonly repeats: number;
  /** Further events that the reference fits. */
  readonly others: number;
}

export type ExplainedSubscription = FollowedScope & {
  /** Milliseconds: when it was made or last changed. */
  readonly changedAt: number;
};

/** What explanations read of the database. */
export interface ExplainStore {
  /** Decisions about the newest event that fits, for this user. Undefined when there is none. */
  decisionsOf(tenant: string, user: string, event: EventReference): Promise<FoundDecisions | undefined>;
  /** Position in the log of a candidate of this event, of whichever user. */
  candidatePosition(tenant: string, event: EventReference): Promise<number | undefined>;
  subscriptionsOf(tenant: string, user: string): Promise<ExplainedSubscription[]>;
  /** Whether the event is about a case or topic that this user may not see: only holders of grants may and he is none, or he was shut out. */
  isHidden(tenant: string, user: string, event: Pick<IncomingEvent, 'caseId' | 'topics'>, now: Date): Promise<boolean>;
}

/** Where an event was looked for. */
export interface EventSearch {
  readonly stream: string;
  readonly found: boolean;
  readonly examined: number;
  readonly oldest?: string;
  readonly newest?: string;
  /** Everything that the stream still holds was looked at. */
  readonly exhausted: boolean;
}

export type StoredEvent = { readonly event: IncomingEvent } | { readonly invalid: string; readonly at: number };

/** Reads events where they are stored. */
export interface StoredEvents {
  /** The event of a candidate in the log; undefined when it is no longer there, or another one. */
  ofCandidate(tenant: string, position: number, event: EventReference): Promise<IncomingEvent | undefined>;
  /** Looks for a foreign event by its id, from `near` (milliseconds) backwards, within a bound. */
  find(tenant: string, event: EventReference, near: number | undefined): Promise<{ readonly found?: StoredEvent; readonly search: EventSearch }>;
}
