import { parseSubject } from '@plexus/contracts';
import fc from 'fast-check';
import { inboundMessageId, inboundSubject, isOpenSource, nameOf } from './inbound-event.js';

describe('the subject of an event that came over HTTP', () => {
  it.each([
    ['com.acme.Order.Shipped.v2', 'com-acme-order-shipped', 2],
    ['demo.import-finished', 'demo-import-finished', 1],
    ['___', 'event', 1],
    ['Größe.v0', 'gr-e-v0', 1],
    ['v3', 'v3', 1],
  ])('%s → %s v%i', (type, name, version) => {
    expect(nameOf(type)).toEqual({ name, version });
  });

  it('property: is a legal one for every type, and keeps the key as it was', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 512, unit: 'binary' }), fc.string({ minLength: 1, maxLength: 60, unit: 'binary' }), (type, subject) => {
        const parsed = parseSubject(inboundSubject('acme', 'crm', { type, subject, id: 'x' }));
        expect(parsed).toMatchObject({ kind: 'in', tenant: 'acme', domain: 'crm', key: [subject] });
      }),
    );
  });

  it('property: deduplication ids differ when tenant, source or id differ', () => {
    fc.assert(
      fc.property(fc.tuple(fc.string(), fc.string(), fc.string()), fc.tuple(fc.string(), fc.string(), fc.string()), (a, b) => {
        const id = ([tenant, source, event]: [string, string, string]) => inboundMessageId(tenant, 'http', { source, id: event });
        expect(id(a) === id(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  it('deduplication ids differ when the source token differs, and stay what they were without one', () => {
    const event = { source: 'urn:a', id: '1' };
    const ids = ['http', 'crm', 'erp'].map((token) => inboundMessageId('acme', token, event));
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toBe('316777ac1a4100503b90b6d1a4d4d0cb3cc6704d9f3de7209a5e19c18456d37f');
  });

  it.each(['telegram', 'slack', 'webhook', 'upstream', 'push', 'CRM', 'a.b', '*', '>', ''])('nobody takes %j as source over HTTP', (source) => {
    expect([isOpenSource(source), isOpenSource('crm'), isOpenSource('http')]).toEqual([false, true, true]);
  });
});
