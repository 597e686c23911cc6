import { advance, nextDue } from './advance.js';
import { decideCandidate } from './pipeline.js';
import { heardAck, heardGrant, heardPreference, heardRead, heardSilence, heardSubscription } from './say.js';
import { emptyShared, foldShared } from './shared-state.js';
import { priorityOf } from './stages/priority.js';
import { type Candidate, Turn } from './turn.js';
import type { Engine, Known, LogInput, Outcome, SharedState, UserState } from './types.js';
import { emptyUser } from './user-state.js';

const NOTHING: Known = {};

/** The decision engine: without clock, chance or I/O. */
export function createEngine(): Engine {
  return { emptyShared, foldShared, emptyUser, reduce };
}

function reduce(state: UserState, input: LogInput, shared: SharedState, known: Known = NOTHING): Outcome {
  const turn = new Turn(state, input, shared, known);
  // A clock that went back (another leader of the log) must not undo what was decided.
  advance(turn, Math.max(turn.now, momentOf(input)));
  apply(turn, input);
  return turn.finish(nextDue(turn), input.kind === 'timer');
}

/** A timer that is published early still means its own moment. */
function momentOf(input: LogInput): number {
  return input.kind === 'timer' ? Math.max(input.at, input.data.dueAt) : input.at;
}

function apply(turn: Turn, input: LogInput): void {
  switch (input.kind) {
    case 'candidate':
      decideCandidate(turn, candidateOf(turn, input.data));
      break;
    case 'preference':
      heardPreference(turn, input.data);
      break;
    case 'subscription':
      heardSubscription(turn, input.data);
      break;
    case 'silence':
      heardSilence(turn, input.data);
      break;
    case 'grant':
      heardGrant(turn, input.data);
      break;
    case 'ack':
      heardAck(turn, input.data);
      break;
    case 'read':
      heardRead(turn, input.data);
      break;
    case 'timer':
    case 'policy':
      break;
  }
}

function candidateOf(turn: Turn, { event, hits, score, agent, note }: Extract<LogInput, { kind: 'candidate' }>['data']): Candidate {
  return {
    event,
    hits,
    score,
    ...(agent === undefined ? {} : { agent }),
    priority: priorityOf(turn.policy, event, score),
    reason: 'sent',
    seq: turn.seq,
    wanted: hits,
    digest: false,
    trace: note === undefined ? [] : [{ stage: 'match', rule: 'interest', verdict: 'pass', input: { note } }],
  };
}
