import { isStorableText } from '@plexus/kernel';
import type { LogEvent, Send } from './engine/types.js';
import { deliveryId, describeSend, identitiesOf } from './inbox-item.js';

const event: LogEvent = {
  key: 'k1',
  origin: 'crm',
  source: '/crm',
  id: 'e1',
  type: 'contact.updated',
  subject: 'cnt_1',
  severity: 'high',
  occurredAt: '2026-11-21T10:00:00.000Z',
  entities: [],
  regions: [],
  topics: [],
};
const send = (...events: LogEvent[]): Send => ({
  deliveryId: 'dlv_1',
  epoch: 'e',
  offset: 3,
  kind: events.length > 1 ? 'digest' : 'notification',
  priority: 'P2',
  interrupt: true,
  events,
  hits: [],
  channels: [],
  at: 1_000,
});

describe('what an inbox item says', () => {
  it('is titled by the summary in one line, else by the type', () => {
    expect(describeSend(send({ ...event, summary: ' Import\n finished\0 ' })).title).toBe('Import finished\ufffd');
    expect(describeSend(send({ ...event, summary: '  ' })).title).toBe('contact.updated');
    expect(describeSend(send(event))).toMatchObject({ kind: 'notification', priority: 'high', urgency: 'P2', offset: 3, id: 'dlv_1', interrupt: true });
  });

  it('of several events says how many, and is as severe as the worst', () => {
    const item = describeSend(send({ ...event, severity: 'low', summary: 'first' }, event, { ...event, severity: 'medium' }));
    expect(item).toMatchObject({ kind: 'digest', title: '3 events: first', priority: 'high' });
    expect(describeSend({ ...send(), kind: 'storm', priority: 'P0' })).toMatchObject({ priority: 'critical', events: [] });
  });

  it('cuts a long title between characters, never inside one', () => {
    const { title } = describeSend(send({ ...event, summary: '😀'.repeat(300) }));
    expect([...title]).toHaveLength(200);
    expect(isStorableText(title)).toBe(true);
  });

  it('stays below what one message can carry, however many events it is about', () => {
    const large = Array.from({ length: 1_000 }, (_, n) => ({ ...event, id: `e${n}`, summary: 's'.repeat(2_000), data: { text: 'x'.repeat(10_000) } }));
    const item = describeSend(send(...large));
    expect(Buffer.byteLength(JSON.stringify(item))).toBeLessThan(500_000);
    expect(item.title).toMatch(/^1000 events/);
    expect(item.events[0]).toHaveProperty('data');
    expect(item.events.at(-1)).not.toHaveProperty('data');
  });
});

describe('an item about many events with long words', () => {
  it.each(['\u0001', '情'])('of %j fits one message as well: the last ones lose their summaries, then are left out', (letter) => {
    const words = { source: letter.repeat(512), type: letter.repeat(512), subject: letter.repeat(512), summary: letter.repeat(2_000) };
    const item = describeSend(send(...Array.from({ length: 100 }, (_, n) => ({ ...event, ...words, id: `${n}`.padStart(512, letter) }))));
    expect(Buffer.byteLength(JSON.stringify(item))).toBeLessThan(500_000);
    expect(item.events[0]).toHaveProperty('summary', words.summary);
    expect(item.events.at(-1)).not.toHaveProperty('summary');
    expect(item.events.length).toBeGreaterThan(10);
  });

  it.each(['\u0001', '情', 'x'])('what is stated about it fits as well with ids of %j, and names all of them where they are short', (letter) => {
    const long = Array.from({ length: 1_000 }, (_, n) => ({ ...event, source: letter.repeat(512), id: `${n}`.padStart(512, letter) }));
    expect(Buffer.byteLength(JSON.stringify(identitiesOf(long)))).toBeLessThan(500_000);
    expect(identitiesOf(long)[0]).toEqual({ source: long[0]?.source, id: long[0]?.id });
    expect(identitiesOf(Array.from({ length: 500 }, () => event))).toHaveLength(500);
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
