import { note, type StageRule } from '../turn.js';
import { LIMITS } from '../user-state.js';

const HOUR = 3_600_000;

/**
 * Before stage 8: an agent may cause so many candidates per user and hour. What is beyond waits until its oldest is an hour old and comes as one
 * message. P0 is exempt: the storm guard bounds it.
 */
export const sourceBudget: StageRule = (turn, candidate) => {
  const { agent } = candidate;
  if (agent === undefined || candidate.priority === 'P0') return undefined;
  const limit = turn.policy.body.sourceBudgetPerHour;
  const known = turn.state.budgets.find((one) => one.agent === agent);
  const times = (known?.times ?? []).filter((at) => at > turn.now - HOUR);
  const key = `budget:${agent}`;
  const waiting = turn.state.buffers.find((buffer) => buffer.key === key);
  if (waiting !== undefined || times.length >= limit) {
    const until = waiting?.due ?? (times[0] as number) + HOUR;
    note(candidate, 'priority', `source budget ${limit} per hour`, 'defer', { version: turn.policyVersion, input: { agent, until } });
    return { end: 'park', reason: 'source_budget', until, buffer: { key, kind: 'budget' } };
  }
  if (known !== undefined) turn.keep('budgets', (one) => one !== known);
  turn.append('budgets', { agent, times: [...times, turn.now] }, LIMITS.budgets);
  note(candidate, 'priority', `source budget ${limit} per hour`, 'pass', { version: turn.policyVersion, input: { agent, used: times.length + 1 } });
  return undefined;
};
