import type { pushPolicyContracts } from '@plexus/contracts';
import type { Decision } from '../engine/types.js';

type ReplayResult = pushPolicyContracts.ReplayResult;
type ReplayChange = pushPolicyContracts.ReplayChange;

/** One event of one user that ends otherwise in the second run. */
export interface RunChange {
  readonly before?: Decision;
  readonly after?: Decision;
  readonly why?: string;
}

/** What two runs of one user differ in. */
export interface RunDifference {
  readonly added: readonly RunChange[];
  readonly removed: readonly RunChange[];
  readonly moved: readonly RunChange[];
  readonly unchanged: number;
  readonly criticalRegressions: readonly RunChange[];
}

/** What one user saw in both runs. */
export interface UserRuns {
  readonly user: string;
  readonly difference: RunDifference;
  readonly before: readonly Decision[];
  readonly after: readonly Decision[];
  readonly interruptsBefore: number;
  readonly interruptsAfter: number;
}

const MAX_EXAMPLES = 20;
const MAX_REGRESSIONS = 100;
/** Upper ends of the buckets of interrupts per user. */
const BUCKETS = [0, 1, 3, 10, 30, 100] as const;

/** Adds up users, in a memory that does not grow with them. */
export class ReplayTally {
  #added = 0;
  #removed = 0;
  #moved = 0;
  #unchanged = 0;
  #regressions = 0;
  #interruptsBefore = 0;
  #interruptsAfter = 0;
  readonly #examples = { added: [] as ReplayChange[], removed: [] as ReplayChange[], moved: [] as ReplayChange[] };
  readonly #critical: ReplayChange[] = [];
  readonly #volume = [...BUCKETS, undefined].map((max, place) => ({
    min: place === 0 ? 0 : (BUCKETS[place - 1] as number) + 1,
    ...(max === undefined ? {} : { max }),
    before: 0,
    after: 0,
  }));
  readonly #reasons = { before: new Map<string, number>(), after: new Map<string, number>() };

  add({ user, difference, before, after, interruptsBefore, interruptsAfter }: UserRuns): void {
    const { added, removed, moved, unchanged, criticalRegressions } = difference;
    this.#added += added.length;
    this.#removed += removed.length;
    this.#moved += moved.length;
    this.#unchanged += unchanged;
    this.#regressions += criticalRegressions.length;
    keep(this.#examples.added, user, added, MAX_EXAMPLES);
    keep(this.#examples.removed, user, removed, MAX_EXAMPLES);
    keep(this.#examples.moved, user, moved, MAX_EXAMPLES);
    keep(this.#critical, user, criticalRegressions, MAX_REGRESSIONS);
    this.#interruptsBefore += interruptsBefore;
    this.#interruptsAfter += interruptsAfter;
    this.#bucket(interruptsBefore).before += 1;
    this.#bucket(interruptsAfter).after += 1;
    count(this.#reasons.before, before);
    count(this.#reasons.after, after);
  }

  result(coverage: ReplayResult['coverage']): ReplayResult {
    return {
      coverage,
      added: this.#added,
      removed: this.#removed,
      moved: this.#moved,
      unchanged: this.#unchanged,
      criticalRegressions: [...this.#critical],
      criticalRegressionCount: this.#regressions,
      examples: { added: [...this.#examples.added], removed: [...this.#examples.removed], moved: [...this.#examples.moved] },
      interrupts: { before: this.#interruptsBefore, after: this.#interruptsAfter },
      volume: this.#volume.map((bucket) => ({ ...bucket })),
      reasons: { before: Object.fromEntries(this.#reasons.before), after: Object.fromEntries(this.#reasons.after) },
    };
  }

  /** Everybody whom the result names. */
  mentions(): string[] {
    const { added, removed, moved } = this.#examples;
    return [...new Set([...added, ...removed, ...moved, ...this.#critical].map(({ user }) => user))];
  }

  #bucket(interrupts: number): { before: number; after: number } {
    const found = this.#volume.find(({ max }) => max === undefined || interrupts <= max);
    if (found === undefined) throw new Error('the last bucket is open');
    return found;
  }
}

function keep(list: ReplayChange[], user: string, changes: readonly RunChange[], most: number): void {
  for (const change of changes.slice(0, most - list.length)) list.push(told(user, change));
}

function told(user: string, { before, after, why }: RunChange): ReplayChange {
  const event = (before ?? after)?.event;
  if (event === undefined) throw new Error('a change without a decision');
  const side = ({ verdict, reason, at, policyVersion }: Decision) => ({ verdict, reason, at: new Date(at).toISOString(), policyVersion });
  return {
    user,
    event: { ...event },
    ...(before === undefined ? {} : { before: side(before) }),
    ...(after === undefined ? {} : { after: side(after) }),
    ...(why === undefined ? {} : { why }),
  };
}

function count(reasons: Map<string, number>, decisions: readonly Decision[]): void {
  for (const { terminal, reason } of decisions) if (terminal) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}
