import { createHash } from 'node:crypto';
import { type CloudEventOf, NotableData, type Severity } from '@plexus/contracts';

/** A foreign event as push decides about it: plain data, read once from the CloudEvent and from where it was stored. */
export interface IncomingEvent {
  readonly tenant: string;
  /** Source token of the subject: which credential published it; `plexus.<domain>` for facts of the mesh, which no source can be called. */
  readonly origin: string;
  /** CloudEvents `source` and `id`, as the publisher wrote them. */
  readonly source: string;
  readonly id: string;
  readonly type: string;
  /** What it is about: CloudEvents `subject`, else the key of the NATS subject. */
  readonly subject: string;
  readonly severity: Severity;
  /** When it happened, for display only. */
  readonly occurredAt: string;
  /** Milliseconds; absent = never. */
  readonly expiresAt?: number;
  /** When the stream stored it, in milliseconds: the only clock that decisions know. */
  readonly receivedAt: number;
  /** Position in the stream. A redelivery repeats it, a second publish does not. */
  readonly inputSeq: number;
  /** What makes it the same trouble as an earlier event. */
  readonly dedupKey?: string;
  readonly groupKey?: string;
  readonly state?: 'firing' | 'resolved';
  /** The agent run that caused it, if it says so. */
  readonly agent?: string;
  readonly summary?: string;
  readonly caseId?: string;
  readonly entities: readonly string[];
  readonly regions: readonly string[];
  readonly topics: readonly string[];
  readonly data?: unknown;
}

/** Where an event came from: read from the subject and from the stream, never from the event itself. */
export interface Arrival {
  readonly tenant: string;
  readonly origin: string;
  readonly key: readonly string[];
  readonly inputSeq: number;
  readonly receivedAt: number;
}

const NOTABLE_FIELDS = ['summary', 'caseId', 'entities', 'regions', 'topics'] as const;

/**
 * Reads what concerns push from a CloudEvent. A field of `data` that has another shape than push knows is somebody else's field
 * of the same name: it is ignored, and the event still reaches those who follow its type or everything.
 */
export function readIncomingEvent(event: CloudEventOf, arrival: Arrival): IncomingEvent {
  const notable = readNotableData(event.data);
  const expiresAt = instant(event.expiresat);
  return {
    tenant: arrival.tenant,
    origin: arrival.origin,
    source: event.source,
    id: event.id,
    type: event.type,
    subject: event.subject ?? arrival.key.join('.'),
    severity: event.severity ?? 'medium',
    occurredAt: new Date(instant(event.time) ?? arrival.receivedAt).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    receivedAt: arrival.receivedAt,
    inputSeq: arrival.inputSeq,
    ...(event.dedupkey === undefined ? {} : { dedupKey: event.dedupkey }),
    ...(event.groupkey === undefined ? {} : { groupKey: event.groupkey }),
    ...(event.eventstate === undefined ? {} : { state: event.eventstate }),
    ...(typeof event.agent === 'string' && event.agent !== '' ? { agent: event.agent.slice(0, 256) } : {}),
    ...(notable.summary === undefined ? {} : { summary: notable.summary }),
    ...(notable.caseId === undefined ? {} : { caseId: notable.caseId }),
    entities: notable.entities ?? [],
    regions: notable.regions ?? [],
    topics: notable.topics ?? [],
    ...(event.data === undefined ? {} : { data: event.data }),
  };
}

const YEAR_1 = Date.parse('0001-01-01T00:00:00Z');
const YEAR_9999 = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Milliseconds of a written instant. One that JavaScript does not know (a leap second), or that leaves the years 1 to 9999 once its
 * offset is taken away, counts as not given: it could not be written down again.
 */
function instant(text: string | undefined): number | undefined {
  const milliseconds = text === undefined ? Number.NaN : Date.parse(text);
  return milliseconds >= YEAR_1 && milliseconds <= YEAR_9999 ? milliseconds : undefined;
}

function readNotableData(data: unknown): NotableData {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return {};
  const known: Record<string, unknown> = {};
  for (const field of NOTABLE_FIELDS) {
    const parsed = NotableData.shape[field].safeParse((data as Record<string, unknown>)[field]);
    if (parsed.success && parsed.data !== undefined) known[field] = parsed.data;
  }
  return known;
}

/**
 * Identity of an event in 43 characters. The source token of the subject is part of it, so that nobody can suppress another
 * publisher's event by forging its `source` and `id`; hashed, because ids of 512 characters do not fit an index row.
 */
export function eventKey(event: Pick<IncomingEvent, 'tenant' | 'origin' | 'source' | 'id'>): string {
  return createHash('sha256')
    .update(JSON.stringify([event.tenant, event.origin, event.source, event.id]))
    .digest('base64url');
}
