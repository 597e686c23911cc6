import type { Priority } from '@plexus/contracts';
import type { CompiledPolicy } from '../compiled-policy.js';
import { note, type StageRule } from '../turn.js';
import type { LogEvent } from '../types.js';

/** How much an event matters: what is critical is P0 whatever its score; what scores below the floor is P3. */
export function priorityOf({ body: { priority } }: CompiledPolicy, { severity }: LogEvent, score: number): Priority {
  if (severity === 'critical') return 'P0';
  const mapped = priority.bySeverity[severity];
  return mapped !== 'P0' && score < priority.floor ? 'P3' : mapped;
}

/** Stage 8: P3 only fills the inbox. */
export const priority: StageRule = (turn, candidate) => {
  const low = candidate.priority === 'P3';
  const { floor } = turn.policy.body.priority;
  note(candidate, 'priority', low ? `below ${floor}, or severity maps to P3` : candidate.priority, low ? 'stop' : 'pass', {
    version: turn.policyVersion,
    input: { score: candidate.score, severity: candidate.event.severity },
  });
  return low ? { end: 'inbox', reason: 'low_value' } : undefined;
};
