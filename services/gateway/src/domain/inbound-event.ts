import { createHash } from 'node:crypto';
import { buildSubject, type CloudEventOf } from '@plexus/contracts';

/** Source token of everything that enters over HTTP; what the gateway's own NATS credential allows. */
export const HTTP_SOURCE = 'http';

/** Where an event of a caller is stored: `plexus.in.<tenant>.http.<name>.v<N>.<key>`. Name and version come from its type, the key from its subject, else its id. */
export function inboundSubject(tenant: string, event: Pick<CloudEventOf, 'type' | 'subject' | 'id'>): string {
  const { name, version } = nameOf(event.type);
  return buildSubject({ kind: 'in', tenant, domain: HTTP_SOURCE, name, version, key: [event.subject ?? event.id] });
}

/** `com.acme.Order.Shipped.v2` → `com-acme-order-shipped`, 2. For people and filters; the type itself stays in the event. */
export function nameOf(type: string): { name: string; version: number } {
  const match = /^(.*)\.v([1-9][0-9]{0,5})$/.exec(type);
  const name = (match?.[1] ?? type)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|-+$/g, '')
    .slice(0, 64);
  return { name: name === '' ? 'event' : name, version: match === null ? 1 : Number(match[2]) };
}

/** Deduplication id: the same event of the same source is stored once within the stream's window. */
export function inboundMessageId(tenant: string, event: Pick<CloudEventOf, 'source' | 'id'>): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, event.source, event.id]))
    .digest('hex');
}
