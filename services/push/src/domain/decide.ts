import type { IncomingEvent } from './incoming-event.js';
import type { Candidate } from './match.js';
import { type FollowedScope, reaches, SPECIFICITY } from './subscription.js';

/** Why an event was or was not delivered to a user. Stable codes: clients and statistics rely on them. */
export type ReasonCode = 'duplicate_event' | 'expired' | 'muted' | 'opted_out' | 'sent';

/** What is already known about the event for this user. */
export interface CandidateState {
  /** It was decided before, under another position of the stream. */
  readonly seen: boolean;
}

/** One rule that was looked at: enough to explain the decision later without repeating it. */
export interface TraceStep {
  readonly stage: 'idempotency' | 'validity' | 'preference' | 'emit';
  readonly rule: string;
  readonly verdict: 'pass' | 'stop';
  readonly subscription?: { readonly id: string; readonly version: number };
}

export interface Decision {
  readonly user: string;
  readonly verdict: 'sent' | 'dropped';
  readonly reason: ReasonCode;
  /** Subscriptions that argue for sending; empty when it was dropped. */
  readonly reasons: readonly FollowedScope[];
  readonly trace: readonly TraceStep[];
}

/**
 * Decides whether an event is delivered to one user. Pure: time is the moment at which the stream stored the event, so that the
 * same input gives the same decision at every replay.
 *
 * Stages: idempotency, validity, preference, emit; the first that stops decides. In the preference stage only the most specific
 * covering subscriptions have a say, and among equals one that wants the event is enough.
 */
export function decide(candidate: Candidate, event: IncomingEvent, state: CandidateState): Decision {
  const trace: TraceStep[] = [];
  const drop = (reason: ReasonCode): Decision => ({ user: candidate.user, verdict: 'dropped', reason, reasons: [], trace });

  trace.push({ stage: 'idempotency', rule: 'first-of-its-identity', verdict: state.seen ? 'stop' : 'pass' });
  if (state.seen) return drop('duplicate_event');

  const expired = event.expiresAt !== undefined && event.expiresAt <= event.receivedAt;
  trace.push({ stage: 'validity', rule: 'expiresat', verdict: expired ? 'stop' : 'pass' });
  if (expired) return drop('expired');

  const judgements = candidate.hits.map((hit) => ({ hit, ...judge(hit, event) }));
  const highest = Math.max(...candidate.hits.map((hit) => SPECIFICITY[hit.scopeKind]));
  const deciding = judgements.filter(({ hit }) => SPECIFICITY[hit.scopeKind] === highest);
  for (const { hit, rule, reason } of deciding) {
    trace.push({ stage: 'preference', rule, verdict: reason === 'sent' ? 'pass' : 'stop', subscription: { id: hit.id, version: hit.version } });
  }
  const wanted = deciding.some(({ reason }) => reason === 'sent');
  if (!wanted) return drop(deciding[0]?.reason ?? 'opted_out');

  trace.push({ stage: 'emit', rule: 'inbox', verdict: 'pass' });
  const reasons = judgements.filter(({ reason }) => reason === 'sent').map(({ hit }) => hit);
  return { user: candidate.user, verdict: 'sent', reason: 'sent', reasons, trace };
}

function judge(subscription: FollowedScope, event: IncomingEvent): { rule: string; reason: 'sent' | 'muted' | 'opted_out' } {
  if (subscription.level === 'muted') return { rule: 'level:muted', reason: 'muted' };
  if (subscription.level === 'critical_only' && event.severity !== 'critical') return { rule: 'level:critical_only', reason: 'opted_out' };
  if (!reaches(event.severity, subscription.minSeverity)) return { rule: `min_severity:${subscription.minSeverity}`, reason: 'opted_out' };
  return { rule: `level:${subscription.level}`, reason: 'sent' };
}
