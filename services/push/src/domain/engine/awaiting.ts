import { incidentKey, labelsOf } from './labels.js';
import { lighten } from './parking-size.js';
import type { Send } from './types.js';
import type { Candidate, Turn } from './turn.js';
import { type Escalation, type FollowUp, LIMITS } from './user-state.js';

/** What a delivery waits for after it was sent: to be acknowledged, to be seen. */

/** A P0 that nobody acknowledges is escalated, level by level. */
export function awaitAcknowledgement(turn: Turn, { deliveryId, offset }: Send, candidates: readonly Candidate[]): void {
  const [first] = turn.policy.body.escalation.afterSeconds;
  if (first === undefined) return;
  const items = candidates.map(({ event, hits, score, priority, reason, seq }) => ({ event: lighten(event), hits, score, priority, reason, seq }));
  const waiting: Escalation = {
    deliveryIds: [deliveryId],
    offsets: [offset],
    sentAt: turn.now,
    due: turn.now + Math.round(first * 1_000),
    level: 1,
    items,
  };
  turn.append('escalations', waiting, LIMITS.escalations);
}

/** What is not seen goes over the later channels of its plan. */
export function awaitSeen(turn: Turn, send: Send, later: readonly { channel: string; at: number }[], candidates: readonly Candidate[]): void {
  const [next] = later;
  if (next === undefined) return;
  const { deliveryId, offset, priority, channels, events } = send;
  const waiting: FollowUp = {
    deliveryId,
    offset,
    priority,
    due: next.at,
    steps: later,
    used: channels,
    events: events.map(labelsOf),
    hits: candidates.length === 1 ? (candidates[0] as Candidate).hits : send.hits,
  };
  turn.append('followUps', waiting, LIMITS.followUps);
}

/** Stops escalating what was acknowledged: the first delivery or any of its escalations. */
export function acknowledge(turn: Turn, isMeant: (deliveryId: string, offset: number) => boolean): void {
  turn.keep('escalations', ({ deliveryIds, offsets }) => !deliveryIds.some((id, place) => isMeant(id, offsets[place] as number)));
}

/** Stops the further channels of what was seen. */
export function markSeen(turn: Turn, isMeant: (deliveryId: string, offset: number) => boolean): void {
  turn.keep('followUps', ({ deliveryId, offset }) => !isMeant(deliveryId, offset));
}

/** What is resolved is not escalated any more; a storm goes on with the rest of it. */
export function forgetEscalations(turn: Turn, key: string): void {
  const over = (escalation: Escalation) => escalation.items.some(({ event }) => incidentKey(event) === key);
  if (!turn.state.escalations.some(over)) return;
  const left = turn.state.escalations.map((one) => (over(one) ? { ...one, items: one.items.filter(({ event }) => incidentKey(event) !== key) } : one));
  turn.state.escalations = left.filter(({ items }) => items.length > 0);
}
