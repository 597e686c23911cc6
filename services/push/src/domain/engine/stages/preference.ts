import type { LogEvent, LogHit, Preference } from '../types.js';
import { reaches } from '../../subscription.js';
import { matchesTypePattern } from '../../type-pattern.js';
import { about } from '../compiled-policy.js';
import { inScope, specificity } from '../labels.js';
import { type Candidate, note, type StageRule, type Turn } from '../turn.js';
import type { Labels } from '../user-state.js';

type Level = LogHit['level'];
interface Judgement {
  readonly hit: LogHit;
  readonly level: Level;
  readonly rule: string;
  readonly version: number;
  readonly refusal?: 'muted' | 'opted_out';
}

/**
 * Stage 3: does the user want it? What the user said beats what the tenant said, and of each the narrowest sentence counts. Then, of the
 * subscriptions that cover the event, the narrowest decide; among equals one that wants it is enough. Mandatory events are not asked about.
 * A resolve passes: it interrupts nobody, and who muted an alarm still wants it to end.
 */
export const preference: StageRule = (turn, candidate) => {
  const { event } = candidate;
  candidate.wanted = candidate.hits;
  if (event.state === 'resolved') return undefined;
  if (turn.policy.mandatory.some((rule) => about(rule, event))) {
    note(candidate, 'preference', 'mandatory', 'pass', { version: turn.policyVersion });
    return undefined;
  }
  const choice = choose(turn, event, '*');
  if (choice !== undefined) {
    const { id, value, whose, version } = choice;
    note(candidate, 'preference', `${whose}:${id}`, value === 'off' ? 'stop' : 'pass', { version });
    if (value === 'off') return { end: 'drop', reason: 'opted_out' };
  }
  return judgeHits(turn, candidate);
};

/** True when nothing that was said keeps the event from a channel. */
export function allowsChannel(turn: Turn, event: Labels, channel: string): boolean {
  if (turn.policy.mandatory.some((rule) => about(rule, event))) return true;
  return choose(turn, event, channel)?.value !== 'off';
}

function judgeHits(turn: Turn, candidate: Candidate): ReturnType<StageRule> {
  const judgements = candidate.hits.map((hit) => judge(turn, candidate.event, hit));
  let highest = -1;
  for (const { hit, rule } of judgements) if (rule !== 'removed') highest = Math.max(highest, specificity(hit.scopeKind));
  const deciding = judgements.filter(({ hit, rule }) => rule !== 'removed' && specificity(hit.scopeKind) === highest);
  for (const { hit, rule, version, refusal } of deciding) {
    note(candidate, 'preference', `subscription:${rule}`, refusal === undefined ? 'pass' : 'stop', { version, input: { subscription: hit.subscriptionId } });
  }
  const [first] = deciding;
  if (first === undefined) {
    note(candidate, 'preference', 'subscription:removed', 'stop');
    return { end: 'drop', reason: 'opted_out' };
  }
  const willing = deciding.filter(({ refusal }) => refusal === undefined);
  if (willing.length === 0) return { end: 'drop', reason: first.refusal ?? 'opted_out' };
  candidate.digest = willing.every(({ level }) => level === 'digest');
  candidate.wanted = judgements.every(({ refusal }) => refusal === undefined)
    ? candidate.hits
    : judgements.filter(({ refusal }) => refusal === undefined).map(({ hit }) => hit);
  return undefined;
}

/** A subscription as it is now: a change that the log tells of beats the version that the matcher saw. */
function judge({ state, now }: Turn, event: LogEvent, hit: LogHit): Judgement {
  const change = state.subscriptions.find(({ id, version }) => id === hit.subscriptionId && version >= hit.version);
  const { version, level, minSeverity, mutedUntil } = change ?? hit;
  if (change?.removed === true) return { hit, level, rule: 'removed', version, refusal: 'opted_out' };
  const muted = level === 'muted' && (mutedUntil === undefined || now < mutedUntil);
  if (muted) return { hit, level, rule: 'muted', version, refusal: 'muted' };
  if (level === 'critical_only' && event.severity !== 'critical') return { hit, level, rule: 'critical_only', version, refusal: 'opted_out' };
  if (!reaches(event.severity, minSeverity)) return { hit, level, rule: `min_severity:${minSeverity}`, version, refusal: 'opted_out' };
  return { hit, level, rule: level === 'muted' ? 'mute is over' : level, version };
}

interface Choice {
  readonly id: string;
  readonly value: Preference['value'];
  readonly whose: 'user' | 'tenant';
  readonly version: number;
}

function choose({ state, shared }: Turn, event: Labels, channel: string): Choice | undefined {
  const own = narrowest(state.said.preferences, event, channel);
  if (own !== undefined) return { id: own.id, value: own.value, whose: 'user', version: state.said.version };
  const common = narrowest(shared.defaults.preferences, event, channel);
  return common === undefined ? undefined : { id: common.id, value: common.value, whose: 'tenant', version: shared.defaults.version };
}

/** Of the sentences about the event the one with the narrowest match; of two that are as narrow `off` counts. */
function narrowest(preferences: readonly Preference[], event: Labels, channel: string): Preference | undefined {
  let best: Preference | undefined;
  let narrowness = -1;
  for (const one of preferences) {
    if (one.channel !== channel || !speaksOf(one, event)) continue;
    const its = narrownessOf(one);
    if (its < narrowness || (its === narrowness && one.value === 'on')) continue;
    best = one;
    narrowness = its;
  }
  return best;
}

function speaksOf({ match: { types, scopeKind, scopeRef } }: Preference, event: Labels): boolean {
  if (types !== undefined && !types.some((pattern) => matchesTypePattern(pattern, event.type))) return false;
  return scopeKind === undefined || inScope(event, scopeKind, scopeRef);
}

/** Scope first, as for subscriptions; then whether it names one, then whether it names types as well. */
function narrownessOf({ match: { types, scopeKind, scopeRef } }: Preference): number {
  const scope = scopeKind === undefined ? (types === undefined ? 0 : specificity('type') + 1) : specificity(scopeKind) + 1;
  const exactTypes = types?.every((type) => !type.includes('*')) === true;
  return scope * 8 + (scopeRef === undefined ? 0 : 4) + (types === undefined ? 0 : 2) + (exactTypes ? 1 : 0);
}
