import { createHash } from 'node:crypto';
import type { pushContracts } from '@plexus/contracts';
import { toStorableText } from '@plexus/kernel';
import type { LogEvent, LogHit, Send } from './engine/types.js';

export type InboxItem = pushContracts.InboxItem;
export type InboxChange = pushContracts.InboxChange;
export type ItemState = InboxItem['state'];

/** Where an item stands in its user's inbox. Offsets are 1, 2, 3 … without gaps within one epoch. */
export interface InboxPosition {
  readonly epoch: string;
  readonly offset: number;
}

const MAX_TITLE_LENGTH = 200;
/** One item must fit one NATS message together with its envelope: more events than this, or more of what they say, stay where they came from. */
const MAX_EVENTS = 100;
/** As JSON, where one character may take six bytes. */
const MAX_BYTES = { events: 192 * 1024, summaries: 128 * 1024, data: 128 * 1024 } as const;

const MAX_FACT = { events: 500, bytes: 384 * 1024 } as const;

const SEVERITY_OF: Readonly<Record<Send['priority'], InboxItem['priority']>> = { P0: 'critical', P1: 'high', P2: 'medium', P3: 'low' };
const RANK: Readonly<Record<InboxItem['priority'], number>> = { low: 0, medium: 1, high: 2, critical: 3 };

/** Says what the user sees of a delivery. */
export function describeSend(send: Send): InboxItem {
  return {
    offset: send.offset,
    id: send.deliveryId,
    kind: send.kind,
    priority: severityOf(send),
    title: titleOf(send.kind, send.events, send.events.length),
    events: eventsOf(send.events),
    reasons: reasonsOf(send.hits),
    state: 'new',
    createdAt: new Date(send.at).toISOString(),
    urgency: send.priority,
    interrupt: send.interrupt,
    ...(send.escalates === undefined ? {} : { escalates: send.escalates.deliveryId }),
  };
}

/** Of each event that the item lists: its case and topics as `case:7`, which access may be withdrawn from. Undefined when none has any. */
export function scopesOf(item: InboxItem, { events }: Pick<Send, 'events'>): string[][] | undefined {
  const scopes = events.slice(0, item.events.length).map(scopesOfEvent);
  return scopes.some(({ length }) => length > 0) ? scopes : undefined;
}

function scopesOfEvent({ caseId, topics }: Pick<LogEvent, 'caseId' | 'topics'>): string[] {
  return [...(caseId === undefined ? [] : [`case:${caseId}`]), ...new Set(topics.map((topic) => `topic:${topic}`))];
}

/** The item without the listed events at these places, as its user may see it by now. Undefined when nothing is left. */
export function withoutEvents(item: InboxItem, places: readonly number[]): InboxItem | undefined {
  if (places.length === 0) return item;
  const gone = new Set(places);
  const events = item.events.filter((_, place) => !gone.has(place));
  if (events.length === 0) return undefined;
  return { ...item, events, title: titleOf(item.kind, events, events.length) };
}

/** The worst of what it is about. */
function severityOf({ events, priority }: Send): InboxItem['priority'] {
  const [first, ...rest] = events.map(({ severity }) => severity);
  return first === undefined ? SEVERITY_OF[priority] : rest.reduce((worst, severity) => (RANK[severity] > RANK[worst] ? severity : worst), first);
}

function eventsOf(events: readonly LogEvent[]): InboxItem['events'] {
  const left: Record<keyof typeof MAX_BYTES, number> = { ...MAX_BYTES };
  const fits = (what: keyof typeof MAX_BYTES, value: unknown): boolean => {
    const bytes = value === undefined ? Number.POSITIVE_INFINITY : Buffer.byteLength(JSON.stringify(value));
    if (bytes > left[what]) return false;
    left[what] -= bytes;
    return true;
  };
  const told: InboxItem['events'] = [];
  for (const { id, source, type, subject, occurredAt: time, summary, data } of events.slice(0, MAX_EVENTS)) {
    const event = { id, source, type, subject, time };
    if (!fits('events', event)) break;
    told.push({ ...event, ...(fits('summaries', summary) ? { summary } : {}), ...(fits('data', data) ? { data } : {}) });
  }
  return told;
}

/** Which events a delivery is about, as far as one message can name them. */
export function identitiesOf(events: readonly LogEvent[]): { source: string; id: string }[] {
  const named: { source: string; id: string }[] = [];
  let left = MAX_FACT.bytes;
  for (const { source, id } of events.slice(0, MAX_FACT.events)) {
    left -= Buffer.byteLength(JSON.stringify({ source, id })) + 1;
    if (left < 0) break;
    named.push({ source, id });
  }
  return named;
}

function reasonsOf(hits: readonly LogHit[]): InboxItem['reasons'] {
  const methods = new Map(hits.map(({ subscriptionId, method }) => [subscriptionId, method]));
  return [...methods].slice(0, MAX_EVENTS).map(([subscriptionId, method]) => ({ subscriptionId, method }));
}

/** The id of a delivery follows from its place, so that writing it twice is impossible rather than unlikely. */
export function deliveryId(tenant: string, user: string, position: InboxPosition): string {
  const digest = createHash('sha256').update(JSON.stringify([tenant, user, position.epoch, position.offset]));
  return `dlv_${digest.digest('hex').slice(0, 32)}`;
}

function titleOf(kind: string, [first]: readonly { readonly type: string; readonly summary?: string | undefined }[], count: number): string {
  const named = first === undefined ? '' : oneLine(first.summary ?? '') || oneLine(first.type);
  switch (kind) {
    case 'storm':
      return shortened(`${count} critical events: ${named}`);
    case 'source_budget':
      return shortened(`${count} more from one agent: ${named}`);
    case 'escalation':
      return shortened(`Not acknowledged: ${named}`);
    case 'resolved':
      return shortened(`Resolved: ${named}`);
    default:
      return shortened(count > 1 ? `${count} events: ${named}` : named);
  }
}

function shortened(title: string): string {
  const characters = [...title];
  return characters.length <= MAX_TITLE_LENGTH ? title : `${characters.slice(0, MAX_TITLE_LENGTH - 1).join('')}…`;
}

function oneLine(text: string): string {
  return toStorableText(text)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}
