import { createHash } from 'node:crypto';
import { buildSubject, CHANNEL_ADAPTERS, type CloudEventOf, isTenantId } from '@plexus/contracts';

/** Source token of what enters over HTTP by a credential that names no other. */
export const HTTP_SOURCE = 'http';

/** Sources whose events are believed to be what they say: only their own services and adapters speak under these. */
const RESERVED_SOURCES: ReadonlySet<string> = new Set(['push', ...CHANNEL_ADAPTERS]);

/** Whether anybody over HTTP may speak under this source token. */
export function isOpenSource(source: string): boolean {
  return isTenantId(source) && !RESERVED_SOURCES.has(source);
}

/** Where an event of a caller is stored: `plexus.in.<tenant>.<source>.<name>.v<N>.<key>`. Name and version come from its type, the key from its subject, else its id. */
export function inboundSubject(tenant: string, source: string, event: Pick<CloudEventOf, 'type' | 'subject' | 'id'>): string {
  const { name, version } = nameOf(event.type);
  return buildSubject({ kind: 'in', tenant, domain: source, name, version, key: [event.subject ?? event.id] });
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

/**
 * Deduplication id: the same event of the same source is stored once within the stream's window. The source token is part of it where there is one,
 * so that nobody suppresses another's event by naming its source and id.
 */
export function inboundMessageId(tenant: string, source: string, event: Pick<CloudEventOf, 'source' | 'id'>): string {
  return createHash('sha256')
    .update(JSON.stringify(source === HTTP_SOURCE ? [tenant, event.source, event.id] : [tenant, source, event.source, event.id]))
    .digest('hex');
}
