import { type CompiledPolicy, compile } from './compiled-policy.js';
import type {
  ChannelSend,
  Decision,
  ItemEdit,
  Known,
  LogHit,
  LogInput,
  Outcome,
  ReasonCode,
  Send,
  SharedState,
  Stage,
  TraceStep,
  UserState,
  Verdict,
} from './types.js';
import type { Item, UserStateShape } from './user-state.js';

type Draft = { -readonly [K in keyof UserStateShape]: UserStateShape[K] };
type Lists = { [K in keyof UserStateShape as UserStateShape[K] extends readonly unknown[] ? K : never]: UserStateShape[K] };
type Elements<K extends keyof Lists> = Lists[K] extends readonly (infer E)[] ? E : never;

/** An item while the stages look at it. */
export interface Candidate extends Item {
  /** Hits that argue for sending; the preference stage chooses them. */
  wanted: readonly LogHit[];
  /** Every hit that decides wants a digest. */
  digest: boolean;
  readonly trace: TraceStep[];
}

/** How a stage ends the way of a candidate; what does not end goes on to the next stage. */
export type Ending =
  | { readonly end: 'drop' | 'suppress' | 'edit'; readonly reason: ReasonCode; readonly deliveryId?: string }
  | { readonly end: 'inbox'; readonly reason: ReasonCode }
  | { readonly end: 'park'; readonly reason: ReasonCode; readonly until: number; readonly buffer: BufferPlace };

/** Where a candidate waits. */
export interface BufferPlace {
  readonly key: string;
  readonly kind: 'group' | 'wait' | 'hold' | 'storm' | 'budget';
  readonly leading?: boolean;
  /** The buffer is closed when it holds this many. */
  readonly maxItems?: number;
}

/** One rule of the pipeline. */
export type StageRule = (turn: Turn, candidate: Candidate) => Ending | undefined;

const NOWHERE: Outcome['timers'] = { set: [], cancel: [] };

/**
 * The work on one input: the state being changed, and what comes out. From outside nothing changes: the old state is shared where it stays
 * the same, and a list is copied when it is first written.
 */
export class Turn {
  readonly decisions: Decision[] = [];
  readonly sends: Send[] = [];
  readonly edits: ItemEdit[] = [];
  readonly channels: ChannelSend[] = [];
  readonly policy: CompiledPolicy;
  readonly policyVersion: number;
  readonly state: Draft;
  readonly tenant: string;
  readonly user: string;
  readonly seq: number;
  /** The moment that is decided: of the input, or at which something fell due. */
  now: number;
  readonly #before: UserStateShape;

  constructor(
    state: UserState,
    input: LogInput,
    readonly shared: SharedState,
    readonly known: Known,
  ) {
    this.#before = state as UserStateShape;
    this.state = { ...this.#before };
    this.policy = compile(shared.policy.body);
    this.policyVersion = shared.policy.version;
    this.tenant = input.tenant;
    this.user = input.user;
    this.seq = input.seq;
    this.now = this.state.clock;
  }

  /** A list of the state, to be written: copied the first time. */
  own<K extends keyof Lists>(name: K): Elements<K>[] {
    const lists = this.state as unknown as Record<string, readonly unknown[]>;
    if (lists[name] === this.#before[name]) lists[name] = [...(lists[name] as readonly unknown[])];
    return lists[name] as Elements<K>[];
  }

  /** Appends to a list and forgets its oldest entries beyond the limit. */
  append<K extends keyof Lists>(name: K, entry: Elements<K>, limit: number): void {
    const list = this.own(name);
    list.push(entry);
    if (list.length > limit) list.splice(0, list.length - limit);
  }

  /** Keeps what passes; does nothing when everything does. */
  keep<K extends keyof Lists>(name: K, passes: (entry: Elements<K>) => boolean): void {
    const list = this.state[name] as unknown as readonly Elements<K>[];
    if (list.every(passes)) return;
    (this.state as unknown as Record<string, unknown>)[name] = list.filter(passes);
  }

  decide(candidate: Candidate, verdict: Verdict, reason: ReasonCode, more: { deliveryId?: string; until?: number } = {}): void {
    const { key, origin, source, id, type } = candidate.event;
    this.decisions.push({
      eventKey: key,
      event: { origin, source, id, type },
      verdict,
      reason,
      priority: candidate.priority,
      terminal: verdict !== 'deferred',
      ...more,
      policyVersion: this.policyVersion,
      trace: candidate.trace,
      inputSeq: this.seq,
      at: this.now,
    });
  }

  /** Ends the turn. `wakeAt`: when the next thing falls due; `fired`: the timer went off, so that it must be set again whatever it stood at. */
  finish(wakeAt: number | undefined, fired: boolean): Outcome {
    const { decisions, sends, edits, channels, state } = this;
    const armed = fired ? null : state.armed;
    let timers = NOWHERE;
    if (wakeAt !== undefined && wakeAt !== armed) timers = { set: [{ timerId: 'wake', dueAt: wakeAt }], cancel: [] };
    if (wakeAt === undefined && armed !== null) timers = { set: [], cancel: ['wake'] };
    state.armed = wakeAt ?? null;
    state.clock = this.now;
    return { state, decisions, sends, edits, channels, timers };
  }
}

/** Writes down which rule was looked at. */
export function note(
  candidate: Candidate,
  stage: Stage,
  rule: string,
  verdict: TraceStep['verdict'],
  more?: { readonly version?: number; readonly input?: TraceStep['input'] },
): void {
  candidate.trace.push(more === undefined ? { stage, rule, verdict } : ({ stage, rule, verdict, ...more } as TraceStep));
}
