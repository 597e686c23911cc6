import { settle } from './settle.js';
import { aggregate, leadingKey } from './stages/aggregate.js';
import { collapse } from './stages/collapse.js';
import { critical } from './stages/critical.js';
import { emit } from './stages/emit.js';
import { idempotency } from './stages/idempotency.js';
import { inhibit, inhibitAfterHold } from './stages/inhibit.js';
import { preference } from './stages/preference.js';
import { priority } from './stages/priority.js';
import { quiet } from './stages/quiet.js';
import { silence } from './stages/silence.js';
import { sourceBudget } from './stages/source-budget.js';
import { state } from './stages/state.js';
import { throttle } from './stages/throttle.js';
import { validity } from './stages/validity.js';
import type { Candidate, Ending, StageRule, Turn } from './turn.js';

/** The stages in their fixed order; the first that ends a candidate's way decides. Emit and follow-up come after all of them. */
const ADMISSION: readonly StageRule[] = [idempotency, validity, preference, state, silence, inhibit, collapse, sourceBudget, priority, critical];
/** What was held for an inhibiting source goes on from there. */
const AFTER_HOLD: readonly StageRule[] = [silence, inhibitAfterHold, collapse, sourceBudget, priority, critical];
/** P0 skips these. */
const PACING: readonly StageRule[] = [quiet, aggregate, throttle];

/** Decides a candidate that just came. */
export function decideCandidate(turn: Turn, candidate: Candidate): void {
  goThrough(turn, candidate, ADMISSION);
}

/** Decides a candidate whose hold is over. */
export function decideHeld(turn: Turn, candidate: Candidate): void {
  goThrough(turn, candidate, AFTER_HOLD);
}

function goThrough(turn: Turn, candidate: Candidate, admission: readonly StageRule[]): void {
  const ending = firstEnding(turn, candidate, admission) ?? (candidate.priority === 'P0' ? undefined : firstEnding(turn, candidate, PACING));
  if (ending !== undefined) settle(turn, candidate, ending);
  else emit(turn, [candidate], { kind: 'notification', interrupt: true, leadingKey: candidate.priority === 'P0' ? undefined : leadingKey(turn, candidate) });
}

function firstEnding(turn: Turn, candidate: Candidate, stages: readonly StageRule[]): Ending | undefined {
  for (const stage of stages) {
    const ending = stage(turn, candidate);
    if (ending !== undefined) return ending;
  }
  return undefined;
}
