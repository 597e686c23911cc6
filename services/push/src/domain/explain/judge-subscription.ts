import type { IncomingEvent } from '../incoming-event.js';
import { covers } from '../match.js';
import { type FollowedScope, isInForce, meetsPredicate } from '../subscription.js';
import { matchesTypePattern } from '../type-pattern.js';

export interface JudgedSubscription {
  readonly subscriptionId: string;
  readonly scopeKind: string;
  readonly scopeRef: string;
  /** By its rules; one with an interest text must also be near in meaning, which is judged only when an event is matched. */
  readonly covers: boolean;
  /** A sentence. */
  readonly why: string;
}

/** Whether a subscription covers an event, and the first thing that keeps it from it. Severity and level are judged by decisions, not here. */
export function judgeSubscription(subscription: FollowedScope, event: IncomingEvent): JudgedSubscription {
  const { id: subscriptionId, scopeKind, scopeRef } = subscription;
  const covered = covers(subscription, event);
  return { subscriptionId, scopeKind, scopeRef, covers: covered, why: covered ? praise(subscription) : fault(subscription, event) };
}

function praise({ interestText }: FollowedScope): string {
  const interest = typeof interestText === 'string' && interestText !== '';
  return interest ? 'Its rules cover the event; whether the event is near its interest in meaning is judged when it is matched.' : 'It covers the event.';
}

/** Mirrors the order in which matching looks: in force, scope, type, predicate. */
function fault(subscription: FollowedScope, event: IncomingEvent): string {
  if (!isInForce(subscription, event.receivedAt)) return notInForce(subscription, event.receivedAt);
  const scope = scopeFault(subscription, event);
  if (scope !== undefined) return scope;
  const { typePatterns } = subscription;
  if (typePatterns.length > 0 && !typePatterns.some((pattern) => matchesTypePattern(pattern, event.type))) {
    return `The event’s type ${quoted(event.type)} fits none of its patterns: ${typePatterns.slice(0, 5).map(quoted).join(', ')}.`;
  }
  if (!meetsPredicate(subscription, event.data)) return 'Its condition does not hold for the event’s data.';
  return 'It does not cover the event.';
}

function notInForce({ validFrom, validTo }: FollowedScope, at: number): string {
  if (typeof validFrom === 'number' && at < validFrom) return `It is in force only from ${new Date(validFrom).toISOString()}.`;
  return `It was in force only until ${new Date(validTo ?? at).toISOString()}.`;
}

function scopeFault({ scopeKind, scopeRef }: FollowedScope, event: IncomingEvent): string | undefined {
  switch (scopeKind) {
    case 'case':
      return event.caseId === scopeRef ? undefined : `It follows case ${quoted(scopeRef)}; the event ${named(event.caseId, 'names no case', 'is about case')}.`;
    case 'type':
      return matchesTypePattern(scopeRef, event.type) ? undefined : `It follows the type ${quoted(scopeRef)}; the event’s is ${quoted(event.type)}.`;
    case 'entity':
      return listFault('entity', 'entities', scopeRef, event.entities);
    case 'region':
      return listFault('region', 'regions', scopeRef, event.regions);
    case 'topic':
      return listFault('topic', 'topics', scopeRef, event.topics);
    case 'all':
      return undefined;
  }
}

function listFault(one: string, many: string, scopeRef: string, names: readonly string[]): string | undefined {
  if (names.includes(scopeRef)) return undefined;
  const has = names.length === 0 ? `names no ${many}` : `names ${names.slice(0, 5).map(quoted).join(', ')}${names.length > 5 ? ', …' : ''}`;
  return `It follows the ${one} ${quoted(scopeRef)}; the event ${has}.`;
}

function named(value: string | undefined, none: string, some: string): string {
  return value === undefined ? none : `${some} ${quoted(value)}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
