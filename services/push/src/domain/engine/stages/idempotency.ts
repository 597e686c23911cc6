import { note, type StageRule } from '../turn.js';
import { SEEN_FOR_MS, SEEN_IN_STATE } from '../user-state.js';

/** Stage 1: an event is decided once per user, however often it is delivered or published within seven days. */
export const idempotency: StageRule = (turn, candidate) => {
  const { key } = candidate.event;
  const horizon = turn.now - SEEN_FOR_MS;
  const repeated = turn.known.seen === true || turn.state.seen.some(([seen, at]) => seen === key && at > horizon);
  note(candidate, 'idempotency', 'first of its identity in seven days', repeated ? 'stop' : 'pass');
  if (repeated) return { end: 'drop', reason: 'duplicate_event' };
  turn.append('seen', [key, turn.now], SEEN_IN_STATE);
  return undefined;
};
