import { note, type StageRule, type Turn } from '../turn.js';

/**
 * Stage 9: P0 goes at once and costs no budget. In a storm the first ones do; the rest come as one message when the oldest of the window
 * leaves it.
 */
export const critical: StageRule = (turn, candidate) => {
  if (candidate.priority !== 'P0') return undefined;
  const { stormMs, body } = turn.policy;
  const recent = turn.state.criticals.filter((at) => at > turn.now - stormMs);
  const storm = recent.length >= body.storm.count;
  note(candidate, 'critical', `storm above ${body.storm.count} in ${stormMs / 1_000} s`, storm ? 'defer' : 'pass', {
    version: turn.policyVersion,
    input: { recent: recent.length },
  });
  if (!storm) return undefined;
  const until = (recent[0] as number) + stormMs;
  return { end: 'park', reason: 'critical_storm', until, buffer: { key: 'storm', kind: 'storm' } };
};

/** Counts a P0 message that goes out now. */
export function countCritical(turn: Turn): void {
  turn.keep('criticals', (at) => at > turn.now - turn.policy.stormMs);
  turn.own('criticals').push(turn.now);
}
