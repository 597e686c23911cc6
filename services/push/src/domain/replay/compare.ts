import type { Decision } from '../engine/types.js';
import type { RunChange, RunDifference } from '../policy/replay-tally.js';

/**
 * Compares what one user got in two runs over the same log, event by event: sent only in the second run (added), only in the first (removed), in
 * both but at another time (moved), or alike (unchanged). A critical regression is a P0 event that the second run does not send, or sends later.
 */
export function compareRuns(before: readonly Decision[], after: readonly Decision[]): RunDifference {
  const [first, second] = [endings(before), endings(after)];
  const added: RunChange[] = [];
  const removed: RunChange[] = [];
  const moved: RunChange[] = [];
  const criticalRegressions: RunChange[] = [];
  let unchanged = 0;
  for (const [event, was] of first) {
    const is = second.get(event);
    if (was.verdict !== 'sent') continue;
    const change: RunChange = { before: was, ...(is === undefined ? {} : { after: is }), why: why(was, is) };
    if (is?.verdict !== 'sent') removed.push(change);
    else if (is.at !== was.at) moved.push(change);
    else unchanged += 1;
    const critical = was.priority === 'P0' || is?.priority === 'P0';
    if (critical && (is?.verdict !== 'sent' || is.at > was.at)) criticalRegressions.push(change);
  }
  for (const [event, is] of second) {
    const was = first.get(event);
    if (is.verdict === 'sent' && was?.verdict !== 'sent') added.push({ ...(was === undefined ? {} : { before: was }), after: is, why: why(was, is) });
  }
  return { added, removed, moved, unchanged, criticalRegressions };
}

/** How each event ended. Repeats of an event end nothing; what waits at the end of the run has not ended. */
function endings(decisions: readonly Decision[]): Map<string, Decision> {
  const ends = new Map<string, Decision>();
  for (const decision of decisions) {
    if (decision.terminal && decision.reason !== 'duplicate_event') ends.set(nameOf(decision), decision);
  }
  return ends;
}

/** Escalations are named after deliveries, which two runs number differently: here by the event and the level. */
function nameOf({ eventKey, event, reason }: Decision): string {
  if (reason !== 'escalated') return eventKey;
  return JSON.stringify([event.origin, event.source, event.id, eventKey.slice(eventKey.lastIndexOf(':'))]);
}

function why(before: Decision | undefined, after: Decision | undefined): string {
  const [was, is] = [say(before), say(after)];
  if (before?.verdict !== 'sent' || after?.verdict !== 'sent') return `was ${was}, would be ${is}`;
  const seconds = (after.at - before.at) / 1_000;
  return seconds === 0 ? 'sent at the same time' : `sent ${Math.abs(seconds)} s ${seconds > 0 ? 'later' : 'earlier'}`;
}

function say(decision: Decision | undefined): string {
  return decision === undefined ? 'without an end' : decision.reason;
}
