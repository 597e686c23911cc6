import type { IncomingEvent } from './incoming-event.js';
import { type FollowedScope, isInForce, meetsPredicate, SPECIFICITY } from './subscription.js';
import { matchesTypePattern } from './type-pattern.js';

/** One user whom an event may concern, with every subscription that says so: most specific first, then by id. */
export interface Candidate {
  readonly user: string;
  readonly hits: readonly FollowedScope[];
}

/** True when the subscription is in force and its scope, type patterns and predicate cover the event. Severity and level are preferences and judged later. */
export function covers(subscription: FollowedScope, event: IncomingEvent): boolean {
  return (
    isInForce(subscription, event.receivedAt) && coversScope(subscription, event) && coversType(subscription, event) && meetsPredicate(subscription, event.data)
  );
}

/** Groups the covering subscriptions by user. Users come in one fixed order, in which their rows are locked as well. */
export function match(event: IncomingEvent, subscriptions: readonly FollowedScope[]): Candidate[] {
  const byUser = new Map<string, FollowedScope[]>();
  for (const subscription of subscriptions) {
    if (!covers(subscription, event)) continue;
    const hits = byUser.get(subscription.user);
    if (hits === undefined) byUser.set(subscription.user, [subscription]);
    else hits.push(subscription);
  }
  return [...byUser]
    .sort(([a], [b]) => compareText(a, b))
    .map(([user, hits]) => ({
      user,
      hits: hits.sort((a, b) => SPECIFICITY[b.scopeKind] - SPECIFICITY[a.scopeKind] || compareText(a.id, b.id)),
    }));
}

function coversScope({ scopeKind, scopeRef }: FollowedScope, event: IncomingEvent): boolean {
  switch (scopeKind) {
    case 'case':
      return event.caseId === scopeRef;
    case 'entity':
      return event.entities.includes(scopeRef);
    case 'region':
      return event.regions.includes(scopeRef);
    case 'topic':
      return event.topics.includes(scopeRef);
    case 'type':
      return matchesTypePattern(scopeRef, event.type);
    case 'all':
      return true;
  }
}

function coversType({ typePatterns }: FollowedScope, event: IncomingEvent): boolean {
  return typePatterns.length === 0 || typePatterns.some((pattern) => matchesTypePattern(pattern, event.type));
}

/** Order by code unit: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
