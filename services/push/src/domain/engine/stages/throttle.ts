import { about, factsOf, type ThrottleRule } from '../compiled-policy.js';
import type { LogEvent } from '../types.js';
import { note, type StageRule, type Turn } from '../turn.js';
import type { Facts, Interrupt } from '../user-state.js';
import { placeOf } from './aggregate.js';

/** Stage 12: never more than n interrupts in any window `(now − w, now]`, for every rule. What is too much waits until exactly the first free moment. */
export const throttle: StageRule = (turn, candidate) => {
  const { throttle: rules } = turn.policy;
  if (rules.length === 0) return undefined;
  let until = 0;
  let name = '';
  for (const rule of rules) {
    if (!about(rule.matches, candidate.event)) continue;
    const free = nextFree(turn, rule);
    if (free <= until) continue;
    until = free;
    name = rule.name;
  }
  if (until === 0) {
    note(candidate, 'throttle', 'within every limit', 'pass', { version: turn.policyVersion });
    return undefined;
  }
  note(candidate, 'throttle', name, 'defer', { version: turn.policyVersion, input: { until } });
  return { end: 'park', reason: 'throttled', until, buffer: placeOf(turn, candidate) };
};

/** When each rule lets the next interrupt through; 0 = now. Asked once for many items. */
export function nextFreeOfAll(turn: Turn): (event: LogEvent) => number {
  const free = turn.policy.throttle.map((rule) => nextFree(turn, rule));
  return (event) => turn.policy.throttle.reduce((until, rule, place) => (about(rule.matches, event) ? Math.max(until, free[place] as number) : until), 0);
}

/** The n-th newest interrupt that counts leaves the window; 0 when fewer are in it. */
function nextFree({ state: { interrupts }, now }: Turn, rule: ThrottleRule): number {
  let left = rule.n;
  for (let place = interrupts.length - 1; place >= 0; place -= 1) {
    const interrupt = interrupts[place] as Interrupt;
    if (interrupt.at <= now - rule.perMs) return 0;
    if (!counts(interrupt, rule)) continue;
    left -= 1;
    if (left === 0) return interrupt.at + rule.perMs;
  }
  return 0;
}

function counts({ facts, many }: Interrupt, rule: ThrottleRule): boolean {
  return rule.matches === undefined || many === true || facts.some((fact) => about(rule.matches, fact));
}

const MAX_KINDS = 20;
const ALWAYS_KEPT = 256;

/** Counts an interrupt: a digest is one, for every rule that is about any of its events. */
export function countInterrupt(turn: Turn, events: readonly LogEvent[]): void {
  const kinds: Facts[] = [];
  for (const event of events) if (kinds.length <= MAX_KINDS && !kinds.some((kind) => sameFacts(kind, event))) kinds.push(factsOf(event));
  const many = kinds.length > MAX_KINDS;
  const horizon = turn.now - turn.policy.horizonMs;
  turn.keep('interrupts', ({ at }) => at > horizon);
  const interrupts = turn.own('interrupts');
  interrupts.push({ at: turn.now, facts: many ? [] : kinds, ...(many ? { many } : {}) });
  if (interrupts.length > 2 * ALWAYS_KEPT && interrupts.length % ALWAYS_KEPT === 0) forgetUnneeded(turn);
}

/** Keeps what some rule still needs to know its next free moment, and the newest for a policy to come. */
function forgetUnneeded(turn: Turn): void {
  const { interrupts } = turn.state;
  const needed = new Set<Interrupt>(interrupts.slice(-ALWAYS_KEPT));
  for (const rule of turn.policy.throttle) {
    let left = rule.n;
    for (let place = interrupts.length - 1; place >= 0 && left > 0; place -= 1) {
      const interrupt = interrupts[place] as Interrupt;
      if (!counts(interrupt, rule)) continue;
      needed.add(interrupt);
      left -= 1;
    }
  }
  turn.keep('interrupts', (interrupt) => needed.has(interrupt));
}

function sameFacts(kind: Facts, event: LogEvent): boolean {
  return (
    kind.type === event.type &&
    kind.severity === event.severity &&
    kind.origin === event.origin &&
    kind.caseId === event.caseId &&
    kind.topics.length === event.topics.length &&
    kind.topics.every((topic, place) => topic === event.topics[place])
  );
}
