import { isStorableText } from '@plexus/kernel';
import { deliveryId, describeEvent } from './inbox-item.js';
import type { IncomingEvent } from './incoming-event.js';

const event: IncomingEvent = {
  tenant: 'acme',
  origin: 'crm',
  source: '/crm',
  id: 'e1',
  type: 'contact.updated',
  subject: 'cnt_1',
  severity: 'high',
  occurredAt: '2026-11-21T10:00:00.000Z',
  receivedAt: 1_000,
  inputSeq: 1,
  entities: [],
  regions: [],
  topics: [],
};

describe('what an inbox item says', () => {
  it('is titled by the summary in one line, else by the type', () => {
    expect(describeEvent({ ...event, summary: ' Import\n finished\0 ' }).title).toBe('Import finished\ufffd');
    expect(describeEvent({ ...event, summary: '  ' }).title).toBe('contact.updated');
    expect(describeEvent(event)).toMatchObject({ kind: 'notification', priority: 'high' });
  });

  it('cuts a long title between characters, never inside one', () => {
    const { title } = describeEvent({ ...event, summary: '😀'.repeat(300) });
    expect([...title]).toHaveLength(200);
    expect(isStorableText(title)).toBe(true);
  });

  it('carries small data and leaves large data out', () => {
    expect(describeEvent({ ...event, data: { rows: 12 } }).events[0]).toMatchObject({ data: { rows: 12 } });
    expect(describeEvent({ ...event, data: { text: 'x'.repeat(17_000) } }).events[0]).not.toHaveProperty('data');
  });
});

describe('a delivery id', () => {
  it('follows from the place in the inbox and nothing else', () => {
    const place = { epoch: 'a', offset: 1 };
    expect(deliveryId('acme', 'me', place)).toBe(deliveryId('acme', 'me', { ...place }));
    expect(deliveryId('acme', 'me', place)).toMatch(/^dlv_[0-9a-f]{32}$/);
    const ids = [
      deliveryId('acme', 'me', place),
      deliveryId('b', 'me', place),
      deliveryId('acme', 'm', place),
      deliveryId('acme', 'me', { ...place, offset: 2 }),
    ];
    expect(new Set(ids).size).toBe(4);
  });
});
