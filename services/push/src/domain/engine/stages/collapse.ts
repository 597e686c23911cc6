import { reaches } from '../../subscription.js';
import { collapseKey } from '../labels.js';
import { note, type StageRule } from '../turn.js';
import { suppressed } from './suppressed.js';
import { tell } from './state.js';

/** Stage 7: the same again, soon and no worse, only counts on the item that is there. */
export const collapse: StageRule = (turn, candidate) => {
  const { event } = candidate;
  const key = collapseKey(event);
  if (key === undefined) return undefined;
  const last = turn.state.notified.find((one) => one.key === key);
  if (last === undefined || turn.now - last.at >= turn.policy.collapseMs || !reaches(last.severity, event.severity)) {
    note(candidate, 'collapse', 'not said lately', 'pass', { version: turn.policyVersion });
    return undefined;
  }
  note(candidate, 'collapse', `ttl ${turn.policy.collapseMs / 1_000} s`, 'stop', {
    version: turn.policyVersion,
    input: { lastAt: last.at, lastSeverity: last.severity },
  });
  const repeats = last.repeats + 1;
  const notified = turn.own('notified');
  notified[notified.indexOf(last)] = { ...last, repeats };
  turn.edits.push({ deliveryId: last.deliveryId, eventKey: last.eventKey, repeats, at: turn.now });
  tell(turn, event, last.deliveryId, last.eventKey);
  return suppressed(turn, 'collapsed', last.deliveryId);
};
