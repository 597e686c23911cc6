import { parseSubject } from '@plexus/contracts';
import fc from 'fast-check';
import { inboundMessageId, inboundSubject, nameOf } from './inbound-event.js';

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
        const parsed = parseSubject(inboundSubject('acme', { type, subject, id: 'x' }));
        expect(parsed).toMatchObject({ kind: 'in', tenant: 'acme', domain: 'http', key: [subject] });
      }),
    );
  });

  it('property: deduplication ids differ when tenant, source or id differ', () => {
    fc.assert(
      fc.property(fc.tuple(fc.string(), fc.string(), fc.string()), fc.tuple(fc.string(), fc.string(), fc.string()), (a, b) => {
        const id = ([tenant, source, event]: [string, string, string]) => inboundMessageId(tenant, { source, id: event });
        expect(id(a) === id(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});
