import type { History } from '../history.js';
import { checkInbox } from './check-inbox.js';
import { checkIsolation, checkMemories, checkRest, checkVms } from './check-rest.js';
import { checkRuns } from './check-runs.js';
import type { Violation } from './violation.js';

/**
 * Everything that a history shows to be broken; empty when every promise was kept. An operation whose outcome nobody knows may have happened or not, and
 * neither is a violation.
 */
export function check(history: History): Violation[] {
  return [...checkRuns(history), ...checkInbox(history), ...checkMemories(history), ...checkVms(history), ...checkIsolation(history), ...checkRest(history)];
}
