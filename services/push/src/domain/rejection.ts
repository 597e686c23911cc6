import type { IncomingEvent } from './incoming-event.js';
import { covers } from './match.js';
import { type FollowedScope, isInForce, meetsPredicate } from './subscription.js';

/** Which rule of a subscription does not let the event through; undefined when it is covered. */
export function firstMiss(subscription: FollowedScope, event: IncomingEvent): string | undefined {
  if (covers(subscription, event)) return undefined;
  if (!isInForce(subscription, event.receivedAt)) return 'validity';
  if (!meetsPredicate(subscription, event.data)) return 'predicate';
  return covers({ ...subscription, typePatterns: [] }, event) ? 'type_patterns' : `scope:${subscription.scopeKind}`;
}
