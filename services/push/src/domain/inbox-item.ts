import { createHash } from 'node:crypto';
import type { pushContracts } from '@plexus/contracts';
import { toStorableText } from '@plexus/kernel';
import type { IncomingEvent } from './incoming-event.js';

export type InboxItem = pushContracts.InboxItem;
export type ItemState = InboxItem['state'];

/** Where an item stands in its user's inbox. Offsets are 1, 2, 3 … without gaps within one epoch. */
export interface InboxPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** Everything of an item that is the same for each of its recipients. */
export type ItemContent = Pick<InboxItem, 'kind' | 'priority' | 'title' | 'events'>;

const MAX_TITLE_LENGTH = 200;
/** Larger event data stays out of the inbox: a page of items must fit one NATS message. Whoever needs it reads it at its source. */
const MAX_DATA_BYTES = 16 * 1024;

/** Says what the user sees of one event. */
export function describeEvent(event: IncomingEvent): ItemContent {
  const keepsData = event.data !== undefined && Buffer.byteLength(JSON.stringify(event.data)) <= MAX_DATA_BYTES;
  return {
    kind: 'notification',
    priority: event.severity,
    title: titleOf(event),
    events: [
      {
        id: event.id,
        source: event.source,
        type: event.type,
        subject: event.subject,
        time: event.occurredAt,
        ...(event.summary === undefined ? {} : { summary: event.summary }),
        ...(keepsData ? { data: event.data } : {}),
      },
    ],
  };
}

/** The id of a delivery follows from its place, so that writing it twice is impossible rather than unlikely. */
export function deliveryId(tenant: string, user: string, position: InboxPosition): string {
  const digest = createHash('sha256').update(JSON.stringify([tenant, user, position.epoch, position.offset]));
  return `dlv_${digest.digest('hex').slice(0, 32)}`;
}

function titleOf(event: IncomingEvent): string {
  const line = oneLine(event.summary ?? '');
  const characters = [...(line === '' ? oneLine(event.type) : line)];
  return characters.length <= MAX_TITLE_LENGTH ? characters.join('') : `${characters.slice(0, MAX_TITLE_LENGTH - 1).join('')}…`;
}

function oneLine(text: string): string {
  return toStorableText(text)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}
