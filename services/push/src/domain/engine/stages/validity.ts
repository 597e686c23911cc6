import { note, type StageRule, type Turn } from '../turn.js';
import type { Labels } from '../user-state.js';
import { endIncident } from './state.js';

/**
 * Stage 2: the event still counts, and the user may see what it is about. That something is resolved is true however late it is heard, and
 * ends the incident also for who may not see it any more.
 */
export const validity: StageRule = (turn, candidate) => {
  const { event } = candidate;
  if (event.expiresAt !== undefined && event.state !== 'resolved') {
    const expired = event.expiresAt <= turn.now;
    note(candidate, 'validity', 'expiresat', expired ? 'stop' : 'pass', { input: { expiresAt: event.expiresAt, now: turn.now } });
    if (expired) return { end: 'drop', reason: 'expired' };
  }
  const forbidden = forbiddenScope(turn, event);
  if (forbidden === undefined) note(candidate, 'validity', 'access', 'pass');
  else {
    note(candidate, 'validity', 'access', 'stop', { input: { scope: forbidden } });
    if (event.state === 'resolved') endIncident(turn, event);
    return { end: 'drop', reason: 'not_authorized' };
  }
  return undefined;
};

/** The first case or topic of the event that the user may not see: each of them needs a grant once it is restricted. */
export function forbiddenScope(turn: Turn, event: Labels): string | undefined {
  if (event.caseId !== undefined && !maySee(turn, `case:${event.caseId}`)) return `case:${event.caseId}`;
  for (const topic of event.topics) if (!maySee(turn, `topic:${topic}`)) return `topic:${topic}`;
  return undefined;
}

function maySee({ state, shared, now }: Turn, scope: string): boolean {
  const grant = state.grants.find((one) => one.scope === scope);
  // Opened for everybody after he was shut out; restricted again it is closed to him like to everybody without a grant.
  if (grant?.revoked !== undefined) return grant.revoked < (shared.opened[scope] ?? -1) && shared.restricted[scope] !== true;
  if (grant !== undefined && (grant.until === undefined || now < grant.until)) return true;
  return shared.restricted[scope] !== true;
}
