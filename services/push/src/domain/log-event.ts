import type { LogEvent, LogHit } from './engine/types.js';
import { eventKey, type IncomingEvent } from './incoming-event.js';
import type { Candidate } from './match.js';
import { type FollowedScope, SPECIFICITY } from './subscription.js';

/** Larger event data stays out of the log and of inbox items: a page of items must fit one NATS message. Whoever needs it reads it at its source. */
const MAX_DATA_BYTES = 16 * 1024;
/** One candidate must fit one message, whatever the user follows. */
const MAX_HITS = 500;

/** A subscription that covers an event, and how it was found. */
export interface Found {
  readonly scope: FollowedScope;
  readonly method: LogHit['method'];
  readonly score: number;
}

/** The event as decisions see it. */
export function toLogEvent(event: IncomingEvent): LogEvent {
  const keepsData = event.data !== undefined && Buffer.byteLength(JSON.stringify(event.data)) <= MAX_DATA_BYTES;
  return {
    key: eventKey(event),
    origin: event.origin,
    source: event.source,
    id: event.id,
    type: event.type,
    subject: event.subject,
    severity: event.severity,
    occurredAt: event.occurredAt,
    ...(event.expiresAt === undefined ? {} : { expiresAt: event.expiresAt }),
    ...(event.dedupKey === undefined ? {} : { dedupKey: event.dedupKey }),
    ...(event.groupKey === undefined ? {} : { groupKey: event.groupKey }),
    ...(event.state === undefined ? {} : { state: event.state }),
    ...(event.summary === undefined ? {} : { summary: event.summary }),
    ...(event.caseId === undefined ? {} : { caseId: event.caseId }),
    entities: [...event.entities],
    regions: [...event.regions],
    topics: [...event.topics],
    ...(keepsData ? { data: event.data } : {}),
  };
}

/** One user's hits for the log: the most specific first, with the score of the best. */
export function toHits(found: readonly Found[]): { readonly hits: LogHit[]; readonly score: number } {
  const ordered = [...found]
    .sort((a, b) => SPECIFICITY[b.scope.scopeKind] - SPECIFICITY[a.scope.scopeKind] || (a.scope.id < b.scope.id ? -1 : 1))
    .slice(0, MAX_HITS);
  return { hits: ordered.map(toHit), score: ordered.reduce((best, { score }) => Math.max(best, score), 0) };
}

function toHit({ scope, method, score }: Found): LogHit {
  return {
    subscriptionId: scope.id,
    version: scope.version,
    scopeKind: scope.scopeKind,
    scopeRef: scope.scopeRef,
    minSeverity: scope.minSeverity,
    level: scope.level,
    ...(typeof scope.mutedUntil === 'number' ? { mutedUntil: scope.mutedUntil } : {}),
    method,
    score,
  };
}

/** Users whose subscriptions cover the event by rule alone, and interests that somebody must still compare with what it says. */
export function splitByMeaning(candidates: readonly Candidate[]): { readonly found: Map<string, Found[]>; readonly open: FollowedScope[] } {
  const found = new Map<string, Found[]>();
  const open: FollowedScope[] = [];
  for (const { user, hits } of candidates) {
    for (const scope of hits) {
      if (typeof scope.interestText === 'string' && scope.interestText !== '') open.push(scope);
      else addFound(found, user, { scope, method: 'rule', score: 1 });
    }
  }
  return { found, open };
}

export function addFound(found: Map<string, Found[]>, user: string, one: Found): void {
  const of = found.get(user);
  if (of === undefined) found.set(user, [one]);
  else of.push(one);
}
