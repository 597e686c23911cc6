import type { Priority, PushPolicy } from '@plexus/contracts';
import { crc32 } from 'node:zlib';
import { matcherOf } from './labels.js';
import type { LogEvent } from './types.js';
import type { Facts } from './user-state.js';

type Matcher = ((event: Facts) => boolean) | undefined;

export interface ThrottleRule {
  readonly matches: Matcher;
  readonly n: number;
  readonly perMs: number;
  readonly name: string;
}

export interface GroupRule {
  readonly matches: Matcher;
  readonly by: PushPolicy['group'][number]['by'];
  readonly leading: boolean;
  readonly windowMs: number;
  readonly maxItems: number;
  /** Tells rules with the same `by` apart, and stays the same while the rule does. */
  readonly id: string;
}

export interface InhibitRule {
  readonly source: Matcher;
  readonly target: Matcher;
  readonly equal: readonly string[];
  readonly holdMs: number;
  readonly name: string;
}

/** A policy made ready to be asked often. */
export interface CompiledPolicy {
  readonly body: PushPolicy;
  readonly mandatory: readonly Matcher[];
  readonly groups: readonly GroupRule[];
  readonly throttle: readonly ThrottleRule[];
  readonly inhibit: readonly InhibitRule[];
  readonly channels: readonly { readonly matches: Matcher; readonly priorities: readonly Priority[]; readonly plan: PushPolicy['channels'][number]['plan'] }[];
  readonly collapseMs: number;
  readonly stormMs: number;
  /** The longest memory of interrupts that a rule needs. */
  readonly horizonMs: number;
}

const compiled = new WeakMap<PushPolicy, CompiledPolicy>();

/** Compiles a policy once per object. */
export function compile(body: PushPolicy): CompiledPolicy {
  const known = compiled.get(body);
  if (known !== undefined) return known;
  const made = compileNew(body);
  compiled.set(body, made);
  return made;
}

/** True when a rule is about the event. */
export function about(matches: Matcher, event: Facts): boolean {
  return matches === undefined || matches(event);
}

/** What of an event the rules of a policy look at. */
export function factsOf({ type, severity, origin, caseId, topics }: LogEvent): Facts {
  return caseId === undefined ? { type, severity, origin, topics } : { type, severity, origin, caseId, topics };
}

function compileNew(body: PushPolicy): CompiledPolicy {
  return {
    body,
    mandatory: body.mandatory.map(matcherOf),
    groups: body.group.map(({ match, by, mode, windowSeconds, maxItems }) => {
      const matches = matcherOf(match);
      const id = matches === undefined ? mode : `${mode}@${crc32(JSON.stringify(sorted(match))).toString(16)}`;
      return { matches, by, leading: mode === 'leading', windowMs: ms(windowSeconds), maxItems, id };
    }),
    throttle: body.throttle.map(({ match, n, perSeconds }) => ({ matches: matcherOf(match), n, perMs: ms(perSeconds), name: `${n} per ${perSeconds} s` })),
    inhibit: body.inhibit.map(({ source, target, equal, holdSeconds }, place) => ({
      source: matcherOf(source),
      target: matcherOf(target),
      equal,
      holdMs: ms(holdSeconds),
      name: `rule ${place + 1}: equal ${equal.join(', ')}`,
    })),
    channels: body.channels.map(({ match, priorities, plan }) => ({ matches: matcherOf(match), priorities, plan })),
    collapseMs: ms(body.collapse.ttlSeconds),
    stormMs: ms(body.storm.windowSeconds),
    horizonMs: Math.max(3_600_000, ...body.throttle.map(({ perSeconds }) => ms(perSeconds))),
  };
}

/** The same match gives the same text, in whatever order it was written. */
function sorted(match: object): object {
  return Object.fromEntries(Object.entries(match).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Moments are whole milliseconds. */
function ms(seconds: number): number {
  return Math.round(seconds * 1_000);
}
