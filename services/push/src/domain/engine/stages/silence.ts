import { fits } from '../labels.js';
import type { LogEvent } from '../types.js';
import { note, type StageRule, type Turn } from '../turn.js';
import type { Silence } from '../user-state.js';
import { suppressed } from './suppressed.js';

/** Stage 5: nothing is said about what a silence covers, from its first millisecond and up to, not including, its last. */
export const silence: StageRule = (turn, candidate) => {
  const found = silenceFor(turn, candidate.event);
  if (found === undefined) return undefined;
  note(candidate, 'silence', found.id, 'stop', { input: { from: found.from, to: found.to } });
  return suppressed(turn, 'silenced');
};

function silenceFor(turn: Turn, event: LogEvent): Silence | undefined {
  for (const id in turn.shared.silences) {
    const one = turn.shared.silences[id] as Silence;
    if (covers(one, event, turn.now)) return one;
  }
  return turn.state.silences.find((one) => covers(one, event, turn.now));
}

function covers({ from, to, includeCritical, matchers, removed }: Silence, event: LogEvent, now: number): boolean {
  if (removed || now < from || now >= to || (event.severity === 'critical' && !includeCritical)) return false;
  return matchers.every((matcher) => fits(event, matcher));
}
