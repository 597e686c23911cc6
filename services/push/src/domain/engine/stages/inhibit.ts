import { about, type InhibitRule } from '../compiled-policy.js';
import { incidentKey, sameLabel } from '../labels.js';
import { type Candidate, type Ending, note, type StageRule, type Turn } from '../turn.js';
import type { Incident } from '../user-state.js';
import { isActive } from './state.js';
import { suppressed } from './suppressed.js';

/** Stage 6: while a source fires, its targets with exactly the same labels are kept quiet. A target may be held for a source that still comes. */
export const inhibit: StageRule = (turn, candidate) => judge(turn, candidate) ?? hold(turn, candidate);

/** The same without holding: for what was held already. */
export const inhibitAfterHold: StageRule = (turn, candidate) => judge(turn, candidate);

function judge(turn: Turn, candidate: Candidate): Ending | undefined {
  for (const rule of turn.policy.inhibit) {
    if (!about(rule.target, candidate.event)) continue;
    const source = sourceOf(turn, rule, candidate);
    if (source === undefined) continue;
    note(candidate, 'inhibit', rule.name, 'stop', { version: turn.policyVersion, input: { source: source.key, since: source.at } });
    return suppressed(turn, 'inhibited');
  }
  return undefined;
}

function sourceOf(turn: Turn, { source, equal }: InhibitRule, { event }: Candidate): Incident | undefined {
  const { incidents } = turn.state;
  if (incidents.length === 0) return undefined;
  const key = incidentKey(event);
  return incidents.find(
    (incident) =>
      incident.key !== key && isActive(turn, incident) && about(source, incident.event) && equal.every((label) => sameLabel(incident.event, event, label)),
  );
}

/** P0 is never held: nothing may delay it but a storm. */
function hold(turn: Turn, candidate: Candidate): Ending | undefined {
  if (candidate.priority === 'P0') return undefined;
  const { event } = candidate;
  let longest: InhibitRule | undefined;
  for (const rule of turn.policy.inhibit) {
    if (rule.holdMs > (longest?.holdMs ?? 0) && about(rule.target, event)) longest = rule;
  }
  if (longest === undefined) return undefined;
  const until = turn.now + longest.holdMs;
  note(candidate, 'inhibit', `hold: ${longest.name}`, 'defer', { version: turn.policyVersion, input: { until } });
  return { end: 'park', reason: 'inhibit_hold', until, buffer: { key: `hold:${until}:${event.key}`, kind: 'hold' } };
}
