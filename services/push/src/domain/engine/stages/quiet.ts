import type { Priority } from '@plexus/contracts';
import { quietUntil } from '../quiet-window.js';
import type { QuietHours } from '../types.js';
import { note, type StageRule, type Turn } from '../turn.js';
import { placeOf } from './aggregate.js';

/** Stage 10: in quiet hours everything waits for their end, but for what the user lets through. */
export const quiet: StageRule = (turn, candidate) => {
  const until = quietFor(turn, candidate.priority);
  if (until === undefined) return undefined;
  const { hours, version } = hoursOf(turn);
  note(candidate, 'quiet', `${hours?.start}-${hours?.end} ${hours?.tz}`, 'defer', { version, input: { until } });
  return { end: 'park', reason: 'quiet', until, buffer: placeOf(turn, candidate) };
};

/** Until when something of this priority must wait, or undefined. */
export function quietFor(turn: Turn, priority: Priority): number | undefined {
  const { hours } = hoursOf(turn);
  // Priorities are ordered as their names are: P0 before P1.
  if (hours === undefined || priority <= hours.bypassPriority) return undefined;
  return quietUntil(hours, turn.now);
}

/** The user's own, else the tenant's; equal start and end of one's own switch the tenant's off. */
function hoursOf({ state: { said }, shared: { defaults } }: Turn): { readonly hours: QuietHours | undefined; readonly version: number } {
  return said.quietHours === undefined ? { hours: defaults.quietHours, version: defaults.version } : { hours: said.quietHours, version: said.version };
}
