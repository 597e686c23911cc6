import type { Priority } from '@plexus/contracts';
import type { Known, LogBody, LogEvent, LogHit, Preference, QuietHours, ReasonCode, UserState } from './types.js';

/** What is kept of a user. Arrays of plain records, oldest first: cheap to copy, bounded, the same after a round trip through JSON. */
export type UserStateShape = {
  readonly v: 1;
  readonly epoch: string;
  /** Last inbox offset that was taken. */
  readonly head: number;
  /** Latest moment that was decided; time never goes back. */
  readonly clock: number;
  /** For when the timer `wake` stands; null = it does not. */
  readonly armed: number | null;
  readonly seen: readonly Sighting[];
  /** Interrupts that count against the throttle. */
  readonly interrupts: readonly Interrupt[];
  /** When P0 went out, within the storm window. */
  readonly criticals: readonly number[];
  readonly notified: readonly Notified[];
  readonly incidents: readonly Incident[];
  readonly buffers: readonly Buffer[];
  /** When each leading group last sent. */
  readonly groups: readonly { readonly key: string; readonly last: number }[];
  readonly budgets: readonly { readonly agent: string; readonly times: readonly number[] }[];
  readonly escalations: readonly Escalation[];
  readonly followUps: readonly FollowUp[];
  readonly said: { readonly version: number; readonly preferences: readonly Preference[]; readonly quietHours?: QuietHours };
  readonly subscriptions: readonly SubscriptionChange[];
  readonly grants: readonly Grant[];
  readonly silences: readonly Silence[];
};

export type Silence = Extract<LogBody, { kind: 'silence' }>['data'];
export type SubscriptionChange = Extract<LogBody, { kind: 'subscription' }>['data'];

/** Event key, and when it was first decided. */
export type Sighting = readonly [key: string, at: number];

/** An event without its text: what rules look at. */
export type Labels = Omit<LogEvent, 'data' | 'summary'>;
/** What policy rules look at. */
export type Facts = Pick<LogEvent, 'type' | 'severity' | 'origin' | 'caseId' | 'topics'>;

export interface Interrupt {
  readonly at: number;
  /** Of its events, each kind once; `many`: too many kinds to keep, counts for every rule. */
  readonly facts: readonly Facts[];
  readonly many?: true;
}

/** When something was last interrupted for, by collapse key. */
export interface Notified {
  readonly key: string;
  readonly at: number;
  readonly severity: LogEvent['severity'];
  readonly deliveryId: string;
  readonly eventKey: string;
  readonly repeats: number;
}

/** Something that fires until it is resolved. */
export interface Incident {
  readonly key: string;
  readonly event: Labels;
  readonly at: number;
  /** Items that tell of it. */
  readonly told: readonly { readonly deliveryId: string; readonly eventKey: string }[];
}

/** An event on its way through the stages, or waiting in a buffer. */
export interface Item {
  readonly event: LogEvent;
  readonly hits: readonly LogHit[];
  readonly score: number;
  readonly agent?: string;
  readonly priority: Priority;
  /** Why it waits. */
  readonly reason: ReasonCode;
  /** Position of the input that brought it. */
  readonly seq: number;
}

/**
 * Items that wait together. `group`: of one group; `wait`: for the end of quiet hours or for the throttle; `hold`: for a source that may
 * inhibit it; `storm`: critical ones; `budget`: what an agent caused beyond its budget.
 */
export interface Buffer {
  readonly key: string;
  readonly kind: 'group' | 'wait' | 'hold' | 'storm' | 'budget';
  readonly openedAt: number;
  readonly due: number;
  /** Of a group: the end of its window. Afterwards it only waits for quiet hours or the throttle, and nothing has to join it. */
  readonly closesAt?: number;
  readonly leading?: true;
  /** Of the policy under which it was opened. */
  readonly policyVersion: number;
  readonly items: readonly Item[];
}

/** A critical delivery that nobody acknowledged yet. */
export interface Escalation {
  /** The first delivery, then its escalations: acknowledging any of them is enough. */
  readonly deliveryIds: readonly string[];
  readonly offsets: readonly number[];
  readonly sentAt: number;
  readonly due: number;
  readonly level: number;
  readonly items: readonly Item[];
}

/** A delivery with channels that come later, unless it is seen. */
export interface FollowUp {
  readonly deliveryId: string;
  readonly offset: number;
  readonly priority: Priority;
  readonly due: number;
  readonly steps: readonly { readonly channel: string; readonly at: number }[];
  /** Channels that it went over, once per time. */
  readonly used: readonly string[];
  readonly events: readonly Labels[];
  readonly hits: readonly LogHit[];
}

export interface Grant {
  readonly scope: string;
  readonly until?: number;
  /** Position of the revocation; absent = it is granted. */
  readonly revoked?: number;
}

/** Newest event keys that the state itself remembers; the host's table remembers all of seven days (see {@link Known}). */
export const SEEN_IN_STATE = 256;
export const SEEN_FOR_MS = 7 * 86_400_000;
/** Bounds of a state. What is over it goes the harmless way: into the inbox, or the oldest is forgotten. */
export const LIMITS = {
  parked: 1_000,
  notified: 1_000,
  incidents: 500,
  groups: 500,
  budgets: 100,
  escalations: 100,
  followUps: 300,
  subscriptions: 1_000,
} as const;

export function emptyUser(epoch: string): UserState {
  const state: UserStateShape = {
    v: 1,
    epoch,
    head: 0,
    clock: 0,
    armed: null,
    seen: [],
    interrupts: [],
    criticals: [],
    notified: [],
    incidents: [],
    buffers: [],
    groups: [],
    budgets: [],
    escalations: [],
    followUps: [],
    said: { version: 0, preferences: [] },
    subscriptions: [],
    grants: [],
    silences: [],
  };
  return state;
}
