import type { Priority, PushPolicy, pushLogContracts } from '@plexus/contracts';
import type { DataOf } from '@plexus/contracts';

/**
 * The vocabulary of the decision engine. Plain data: a state can be written as JSON and read again without loss, and the same inputs
 * in the same order give byte-equal outcomes.
 */

export type LogEvent = pushLogContracts.LogEvent;
export type LogHit = pushLogContracts.LogHit;
export type Preference = pushLogContracts.Preference;
export type QuietHours = pushLogContracts.QuietHours;
export type LabelMatcher = pushLogContracts.LabelMatcher;

type Logged = typeof pushLogContracts.PUSH_LOG;

/** What happened, without where and when. */
export type LogBody =
  | { readonly kind: 'candidate'; readonly data: DataOf<Logged['candidateLogged']> }
  | { readonly kind: 'ack'; readonly data: DataOf<Logged['ackLogged']> }
  | { readonly kind: 'read'; readonly data: DataOf<Logged['readLogged']> }
  | { readonly kind: 'preference'; readonly data: DataOf<Logged['preferenceLogged']> }
  | { readonly kind: 'timer'; readonly data: DataOf<Logged['timerLogged']> }
  | { readonly kind: 'policy'; readonly data: DataOf<Logged['policyLogged']> }
  | { readonly kind: 'silence'; readonly data: DataOf<Logged['silenceLogged']> }
  | { readonly kind: 'grant'; readonly data: DataOf<Logged['grantLogged']> }
  | { readonly kind: 'subscription'; readonly data: DataOf<Logged['subscriptionLogged']> };

/** One entry of the log. */
export type LogInput = LogBody & {
  /** Of the CloudEvent: unique per (tenant, user, kind). */
  readonly id: string;
  readonly tenant: string;
  /** `_`: everybody of this partition. */
  readonly user: string;
  /** Position in the stream. */
  readonly seq: number;
  /** Milliseconds: when the stream stored it. The only clock there is; for timers the engine uses `dueAt`. */
  readonly at: number;
};

/** Why an event was, was not, or is not yet delivered to a user. Stable codes: clients and statistics rely on them. */
export type ReasonCode =
  | 'duplicate_event'
  | 'expired'
  | 'not_authorized'
  | 'opted_out'
  | 'muted'
  | 'resolved_before_send'
  | 'resolve_without_firing'
  | 'resolved'
  | 'silenced'
  | 'inhibited'
  | 'inhibit_hold'
  | 'collapsed'
  | 'low_value'
  | 'critical_storm'
  | 'quiet'
  | 'group'
  | 'throttled'
  | 'source_budget'
  | 'escalated'
  | 'sent';

/** The stages in their fixed order; `match` is the matcher's: in traces only where it left something out. */
export type Stage =
  | 'match'
  | 'idempotency'
  | 'validity'
  | 'preference'
  | 'state'
  | 'silence'
  | 'inhibit'
  | 'collapse'
  | 'priority'
  | 'critical'
  | 'quiet'
  | 'aggregate'
  | 'throttle'
  | 'emit'
  | 'follow_up';

/** One rule that was looked at: enough to explain the decision later without repeating it. */
export interface TraceStep {
  readonly stage: Stage;
  readonly rule: string;
  readonly verdict: 'pass' | 'defer' | 'stop';
  /** Version of the policy, subscription, preference or silence that the rule comes from. */
  readonly version?: number;
  /** What the rule looked at: small, without the event's data. */
  readonly input?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * `sent`: in a delivery. `inbox`: in the inbox without interrupting (low value, shown suppressed). `suppressed`: kept as a record.
 * `dropped`: ended. `deferred`: waits; exactly one terminal decision follows.
 */
export type Verdict = 'sent' | 'inbox' | 'suppressed' | 'dropped' | 'deferred';

export interface Decision {
  readonly eventKey: string;
  readonly event: { readonly origin: string; readonly source: string; readonly id: string; readonly type: string };
  readonly verdict: Verdict;
  readonly reason: ReasonCode;
  /** How much the event matters under the policy that decided. */
  readonly priority?: Priority;
  /** Everything but `deferred`. Each (event, user) has exactly one, plus one `duplicate_event` per repeat. */
  readonly terminal: boolean;
  readonly deliveryId?: string;
  readonly policyVersion: number;
  readonly trace: readonly TraceStep[];
  /** Input that caused it. */
  readonly inputSeq: number;
  /** Milliseconds: time of the input, or the moment a parked event fell due. */
  readonly at: number;
  /** Of a deferred one: when it is looked at again. */
  readonly until?: number;
}

/** A message to the user's inbox, its place already taken. */
export interface Send {
  readonly deliveryId: string;
  readonly epoch: string;
  readonly offset: number;
  readonly kind: 'notification' | 'digest' | 'storm' | 'escalation' | 'source_budget' | 'resolved';
  readonly priority: Priority;
  /** Counts against the throttle and goes to the channels of the plan; false: only fills the inbox. */
  readonly interrupt: boolean;
  /** Oldest first. */
  readonly events: readonly LogEvent[];
  readonly hits: readonly LogHit[];
  /** Of kind `escalation`: the delivery that nobody acknowledged, and for the how manieth time. */
  readonly escalates?: { readonly deliveryId: string; readonly level: number };
  /** Channels at once; later ones come as `Outcome.channels` of a follow-up. */
  readonly channels: readonly string[];
  readonly at: number;
}

/** A change of an item that was sent before. */
export interface ItemEdit {
  readonly deliveryId: string;
  /** How often the same happened again since. */
  readonly repeats?: number;
  readonly resolvedAt?: number;
  /** Which of the item's events it is about: a digest may hold others that still fire. */
  readonly eventKey: string;
  readonly at: number;
}

/** An item that was not seen and now goes over a further channel of its plan. (An escalation is a `Send` of its own.) */
export interface ChannelSend {
  readonly deliveryId: string;
  readonly channel: string;
  /** How often this delivery went over this channel before: (delivery, channel, level) is unique. */
  readonly level: number;
  readonly priority: Priority;
  readonly at: number;
}

/**
 * Wake the user's state at `dueAt`. The id is stable: setting it again moves it. The engine needs one timer per user, `wake`: it always
 * stands at the earliest moment at which something falls due. The log entry of a firing needs `dueAt` in its id.
 */
export interface TimerSpec {
  readonly timerId: string;
  readonly dueAt: number;
}

/** What one input changed. Arrays are in the order in which things happened. */
export interface Outcome {
  readonly state: UserState;
  readonly decisions: readonly Decision[];
  readonly sends: readonly Send[];
  readonly edits: readonly ItemEdit[];
  readonly channels: readonly ChannelSend[];
  readonly timers: { readonly set: readonly TimerSpec[]; readonly cancel: readonly string[] };
}

/** What holds for everybody of a tenant, as of one position of the log: folded from inputs with user `_`. */
export interface SharedState {
  readonly policy: { readonly version: number; readonly body: PushPolicy };
  readonly silences: Readonly<Record<string, DataOf<Logged['silenceLogged']>>>;
  readonly defaults: { readonly version: number; readonly preferences: readonly Preference[]; readonly quietHours?: QuietHours };
  /** `case:<ref>` and `topic:<ref>` that only holders of grants may see. */
  readonly restricted: Readonly<Record<string, true>>;
  /** Position at which a scope was opened to everyone again: revocations before it mean nothing any more. */
  readonly opened: Readonly<Record<string, number>>;
}

/** What the host knows of an input beside the log. */
export interface Known {
  /**
   * The host's table of sightings holds this (tenant, user, event key) of the last seven days, from an earlier input. That table is
   * **authoritative**: the state itself keeps only the newest `SEEN_IN_STATE` keys, so that it stays small. Whichever of the two
   * knows the event makes it a duplicate. Who replays without the table remembers the keys himself.
   */
  readonly seen?: boolean;
}

/** Everything that is remembered of one user; its shape belongs to the engine (`UserStateShape` in `user-state.ts`). */
export type UserState = { readonly v: 1; readonly epoch: string; readonly head: number } & Readonly<Record<string, unknown>>;

/** The engine. Implemented in `engine.ts`; hosts know nothing more of it. */
export interface Engine {
  /** A tenant of which the log says nothing yet: policy version 0 with every default. */
  emptyShared(): SharedState;
  /** Folds an input with user `_`. */
  foldShared(shared: SharedState, input: LogInput): SharedState;
  /** A user of whom nothing is known. `epoch` names the inbox (a ULID that the host keeps). */
  emptyUser(epoch: string): UserState;
  /**
   * Decides one input of one user. First everything that fell due up to its time, in the order (due_at, group key), each at its own
   * moment; then the input itself. So a poller that is late changes nothing but when it is seen. Pure: `state` is not changed.
   * Inputs with user `_` go to `foldShared` only; what they change for a user shows at that user's next input.
   */
  reduce(state: UserState, input: LogInput, shared: SharedState, known?: Known): Outcome;
}
