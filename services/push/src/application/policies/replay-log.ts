import { NO_TENANT, type PushPolicy, pushLogContracts } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Decision, Engine, LogInput, SharedState, UserState } from '../../domain/engine/types.js';
import { SEEN_FOR_MS } from '../../domain/engine/user-state.js';
import { partitionOf } from '../../domain/partition.js';
import { ReplayTally, type RunDifference } from '../../domain/policy/replay-tally.js';
import type { LogReader } from '../read-log.js';
import type { ReplayResult } from './replay-result.js';

export interface ReplayedPolicy {
  readonly version: number;
  readonly body: PushPolicy;
}

export interface ReplayRequest {
  readonly tenant: string;
  readonly before: ReplayedPolicy;
  readonly after: ReplayedPolicy;
  /** Milliseconds: compared is `[from, to)`; inputs are read from `warmUpFrom` on. */
  readonly warmUpFrom: number;
  readonly from: number;
  readonly to: number;
  readonly users?: readonly string[];
}

export interface ReplayLimits {
  /** Most inputs that are read in all. */
  readonly inputs: number;
  /** Most decisions that are held at once: more, and the partitions are taken in smaller groups. */
  readonly held: number;
  readonly ms: number;
}

export interface ReplayProgress {
  readonly inputs: number;
  readonly partitions: number;
}

export interface ReplayFinding {
  readonly result: ReplayResult;
  readonly mentions: readonly string[];
}

/** What was true before the stretch that is read, as inputs; for example preferences that were never changed since. */
export type StandingFacts = (tenant: string, at: number, users: readonly string[] | undefined) => Promise<{ facts: LogInput[]; assumptions: string[] }>;

export type CompareRuns = (before: readonly Decision[], after: readonly Decision[]) => RunDifference;

/** So often the event loop is given back, so that deciding goes on beside a replay. */
const BREATH_INPUTS = 200;

/** One user in both runs. Until `from` there is one state; there the draft is activated and the second run begins. */
interface Runs {
  readonly user: string;
  before: UserState;
  after: UserState | undefined;
  /** Event key → when it was first seen: what the table of sightings is for the decider. */
  readonly seen: Map<string, number>;
  readonly decisions: { readonly before: Decision[]; readonly after: Decision[] };
  interruptsBefore: number;
  interruptsAfter: number;
}

class Overflow extends Error {}

/** One partition cannot be halved: it may hold this many times as much before the reading of it ends early. */
const ALONE = 2;

/**
 * Decides a stretch of the log twice with the pure core: as the present policy decides it, and as if the other one had been activated at
 * `from`. Activations that the log holds are passed over: both runs have one policy each. Partitions are independent of one another, so
 * they are taken in groups that fit the memory: first all at once, and by halves when that is too much.
 */
export class ReplayLog {
  constructor(
    private readonly log: LogReader,
    private readonly engine: Engine,
    private readonly compare: CompareRuns,
    private readonly standing: StandingFacts,
    private readonly clock: Clock,
  ) {}

  /** Rejects with the signal's reason when it aborts. A limit that is reached ends the reading early: the result says what it covers. */
  async run(
    request: ReplayRequest,
    limits: ReplayLimits,
    signal: AbortSignal,
    onProgress: (progress: ReplayProgress) => void = () => {},
  ): Promise<ReplayFinding> {
    const { facts, assumptions } = await this.standing(request.tenant, request.warmUpFrom, request.users);
    const budget = { inputs: 0, giveUpAt: this.clock.monotonic() + limits.ms, limits, signal };
    const tally = new ReplayTally();
    const groups = [partitionsOf(request)];
    let partitions = 0;
    let inputs = 0;
    let users = 0;
    let complete = true;
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      if (budget.inputs >= limits.inputs || this.clock.monotonic() >= budget.giveUpAt) {
        complete = false;
        break;
      }
      const pass = new Pass(this.engine, request, group, facts, group.length > 1 ? limits.held : ALONE * limits.held);
      const read = await this.#read(pass, group, budget, onProgress, partitions);
      if (read === 'too-much') {
        const half = Math.ceil(group.length / 2);
        groups.unshift(group.slice(0, half), group.slice(half));
        continue;
      }
      if (read === 'cut-short') complete = false;
      inputs += pass.inputs;
      for (const runs of pass.finish(read === 'whole')) {
        users += 1;
        const { before, after } = runs.decisions;
        tally.add({ ...runs, before, after, difference: this.compare(before, after) });
      }
      partitions += read === 'cut-short' ? 0 : group.length;
      onProgress({ inputs: budget.inputs, partitions });
    }
    const span = { from: iso(request.from), to: iso(request.to), warmUpFrom: iso(request.warmUpFrom) };
    const coverage = { ...span, inputs, users, complete, partitions, assumptions: [...sentences(request), ...assumptions] };
    return { result: tally.result(coverage), mentions: tally.mentions() };
  }

  async #read(
    pass: Pass,
    parts: readonly number[],
    budget: { inputs: number; readonly giveUpAt: number; readonly limits: ReplayLimits; readonly signal: AbortSignal },
    onProgress: (progress: ReplayProgress) => void,
    partitions: number,
  ): Promise<'whole' | 'cut-short' | 'too-much'> {
    const { tenant, users, warmUpFrom, to } = pass.request;
    const whole = parts.length === pushLogContracts.PUSH_PARTITIONS;
    const selection = { tenant, from: warmUpFrom, to, ...(users === undefined ? {} : { users }), ...(whole ? {} : { parts }) };
    const { limits, signal } = budget;
    try {
      for await (const input of this.log.read(selection)) {
        signal.throwIfAborted();
        budget.inputs += 1;
        pass.take(input);
        if (budget.inputs % BREATH_INPUTS === 0) {
          onProgress({ inputs: budget.inputs, partitions });
          await this.clock.sleep(0);
        }
        if (budget.inputs >= limits.inputs || this.clock.monotonic() >= budget.giveUpAt) return 'cut-short';
      }
      return 'whole';
    } catch (error) {
      if (error instanceof Overflow) return parts.length > 1 ? 'too-much' : 'cut-short';
      throw error;
    }
  }
}

/** Both runs over one group of partitions. */
class Pass {
  readonly #users = new Map<string, Runs>();
  readonly #shared = new Map<number, { before: SharedState; after: SharedState }>();
  readonly #standing = new Map<string, LogInput[]>();
  #held = 0;
  #reached: number;
  inputs = 0;

  constructor(
    private readonly engine: Engine,
    readonly request: ReplayRequest,
    parts: readonly number[],
    facts: readonly LogInput[],
    private readonly mayHold: number,
  ) {
    this.#reached = request.warmUpFrom;
    const shared = { before: this.#sharedUnder(request.before, facts), after: this.#sharedUnder(request.after, facts) };
    for (const part of parts) this.#shared.set(part, shared);
    for (const fact of facts) {
      if (fact.user === NO_TENANT) continue;
      const known = this.#standing.get(fact.user);
      if (known === undefined) this.#standing.set(fact.user, [fact]);
      else known.push(fact);
    }
  }

  take(input: LogInput): void {
    this.inputs += 1;
    this.#reached = Math.max(this.#reached, input.at);
    if (input.user === NO_TENANT) this.#fold(input);
    else this.#decide(input);
  }

  /** Everybody, with whatever falls due until the end; when reading was cut short, until where it got. */
  *finish(whole: boolean): Generator<Runs> {
    const { tenant, from, to } = this.request;
    const at = whole ? to : Math.max(this.#reached, from);
    for (const runs of this.#users.values()) {
      const input: LogInput = { kind: 'timer', data: { timerId: 'replay-end', dueAt: at }, id: `replay-end:${runs.user}`, tenant, user: runs.user, seq: 0, at };
      this.#decideBoth(runs, input, this.#sharedOf(runs.user));
      yield runs;
    }
  }

  #fold(input: LogInput): void {
    if (input.kind === 'policy') return;
    // An entry for everybody stands in each partition once, at the end of its id; every partition folds its own.
    const own = Number(/:(\d{1,2})$/.exec(input.id)?.[1] ?? Number.NaN);
    for (const [part, { before, after }] of this.#shared) {
      if (!Number.isNaN(own) && own !== part) continue;
      this.#shared.set(part, { before: this.engine.foldShared(before, input), after: this.engine.foldShared(after, input) });
    }
  }

  #decide(input: LogInput): void {
    const shared = this.#sharedOf(input.user);
    if (shared === undefined) return;
    let runs = this.#users.get(input.user);
    if (runs === undefined) {
      runs = this.#begin(input.user, shared);
      this.#users.set(input.user, runs);
    }
    this.#decideBoth(runs, input, shared);
    if (this.#held > this.mayHold) throw new Overflow();
  }

  #begin(user: string, shared: { before: SharedState }): Runs {
    let state = this.engine.emptyUser('replay');
    for (const fact of this.#standing.get(user) ?? []) state = this.engine.reduce(state, fact, shared.before).state;
    this.#held += 1;
    return { user, before: state, after: undefined, seen: new Map(), decisions: { before: [], after: [] }, interruptsBefore: 0, interruptsAfter: 0 };
  }

  #decideBoth(runs: Runs, input: LogInput, shared: { before: SharedState; after: SharedState } | undefined): void {
    if (shared === undefined) return;
    const { from } = this.request;
    const known = input.kind === 'candidate' ? { seen: sight(runs.seen, input.data.event.key, input.at) } : {};
    if (input.at >= from && runs.after === undefined) this.#fork(runs, shared);
    if (runs.after !== undefined) {
      const after = this.engine.reduce(runs.after, input, shared.after, known);
      runs.after = after.state;
      runs.interruptsAfter += this.#note(after, runs.decisions.after);
    }
    const before = this.engine.reduce(runs.before, input, shared.before, known);
    runs.before = before.state;
    runs.interruptsBefore += this.#note(before, runs.decisions.before);
  }

  /** What fell due before `from` falls due under the present policy; from there on the runs go their own ways. */
  #fork(runs: Runs, shared: { before: SharedState }): void {
    const { tenant, from } = this.request;
    const at = from - 1;
    const input: LogInput = { kind: 'timer', data: { timerId: 'replay-from', dueAt: at }, id: `replay-from:${runs.user}`, tenant, user: runs.user, seq: 0, at };
    runs.before = this.engine.reduce(runs.before, input, shared.before).state;
    runs.after = runs.before;
  }

  #note(
    outcome: { readonly decisions: readonly Decision[]; readonly sends: readonly { readonly interrupt: boolean; readonly at: number }[] },
    into: Decision[],
  ): number {
    const { from, to } = this.request;
    for (const decision of outcome.decisions) {
      if (decision.at < from || decision.at > to) continue;
      into.push(decision);
      this.#held += 1;
    }
    return outcome.sends.filter(({ interrupt, at }) => interrupt && at >= from && at <= to).length;
  }

  #sharedOf(user: string): { before: SharedState; after: SharedState } | undefined {
    return this.#shared.get(partitionOf(this.request.tenant, user));
  }

  #sharedUnder(policy: ReplayedPolicy, facts: readonly LogInput[]): SharedState {
    const shared = { ...this.engine.emptyShared(), policy };
    return facts
      .filter(({ user, kind }) => user === NO_TENANT && kind !== 'policy')
      .reduce((folded, fact) => this.engine.foldShared(folded, fact), shared as SharedState);
  }
}

function sight(seen: Map<string, number>, key: string, at: number): boolean {
  const first = seen.get(key);
  if (first !== undefined && first > at - SEEN_FOR_MS) return true;
  seen.set(key, at);
  return false;
}

function partitionsOf({ tenant, users }: ReplayRequest): number[] {
  if (users !== undefined) return [...new Set(users.map((user) => partitionOf(tenant, user)))].sort((a, b) => a - b);
  return Array.from({ length: pushLogContracts.PUSH_PARTITIONS }, (_, part) => part);
}

function sentences({ warmUpFrom, from, before, after }: ReplayRequest): string[] {
  const names = {
    before: before.version === 0 ? 'the built-in policy' : `policy ${before.version}`,
    after: after.version === before.version ? 'the other one' : 'the draft',
  };
  return [
    `Nothing that happened before ${iso(warmUpFrom)} is known: no window, group or open item of then is counted, and an event of then that comes again counts as new.`,
    `From there to ${iso(from)} every input is decided by ${names.before}; at that moment ${names.after} takes over in the second run, as an activation does.`,
    'Candidates are taken as they were matched, and what people acknowledged, saw or changed as they did it then: nobody knows what they would have done otherwise.',
    'Acknowledgements and read marks name deliveries of then, which both runs number anew: they find none, so that escalations count as unanswered in both.',
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
