import { CloudEvent } from '@plexus/contracts';
import fc from 'fast-check';
import { type Arrival, eventKey, readIncomingEvent } from './incoming-event.js';

const arrival: Arrival = { tenant: 'acme', origin: 'crm', key: ['cnt_1'], inputSeq: 7, receivedAt: Date.parse('2026-11-21T10:00:00Z') };
const event = (rest: Record<string, unknown> = {}) => CloudEvent.parse({ specversion: '1.0', id: 'e1', source: '/crm', type: 'contact.updated', ...rest });

describe('reading an incoming event', () => {
  it('takes what push knows from data and leaves the rest alone', () => {
    const data = { summary: 'Import finished', caseId: 'case-7', entities: ['a'], regions: ['eu'], topics: ['import'], rows: 12 };
    const incoming = readIncomingEvent(event({ data, severity: 'high', subject: 'contact/1', time: '2026-11-21T09:59:00+01:00' }), arrival);
    expect(incoming).toMatchObject({ summary: 'Import finished', caseId: 'case-7', entities: ['a'], regions: ['eu'], topics: ['import'], severity: 'high' });
    expect(incoming).toMatchObject({ subject: 'contact/1', occurredAt: '2026-11-21T08:59:00.000Z', data });
  });

  it('ignores a field of the same name but another shape, and keeps the others', () => {
    const incoming = readIncomingEvent(event({ data: { summary: 42, caseId: ['x'], entities: 'x', topics: ['t'] } }), arrival);
    expect(incoming).toMatchObject({ entities: [], topics: ['t'] });
    expect(incoming.summary).toBeUndefined();
    expect(incoming.caseId).toBeUndefined();
  });

  it('is medium, about its key, and happened when it was stored unless the event says otherwise', () => {
    expect(readIncomingEvent(event(), arrival)).toMatchObject({ severity: 'medium', subject: 'cnt_1', occurredAt: '2026-11-21T10:00:00.000Z' });
  });

  it.each(['9999-12-31T23:59:59-12:00', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+14:00'])(
    'takes %s, which cannot be written in UTC, as not given',
    (time) => {
      const incoming = readIncomingEvent(event({ time, expiresat: time }), arrival);
      expect(incoming.occurredAt).toBe('2026-11-21T10:00:00.000Z');
      expect(incoming.expiresAt).toBeUndefined();
    },
  );

  it('never throws, whatever data holds', () => {
    fc.assert(
      fc.property(fc.anything(), (data) => {
        expect(readIncomingEvent(event({ data }), arrival).id).toBe('e1');
      }),
    );
  });
});

describe('the identity of an event', () => {
  const identity = { tenant: 'acme', origin: 'crm', source: '/crm', id: 'e1' };

  it('differs with the tenant, the source token, the source and the id', () => {
    const keys = [identity, { ...identity, tenant: 'other' }, { ...identity, origin: 'forger' }, { ...identity, source: '/x' }, { ...identity, id: 'e2' }].map(
      eventKey,
    );
    expect(new Set(keys).size).toBe(5);
  });

  it('does not depend on where one part ends and the next begins', () => {
    expect(eventKey({ ...identity, source: 'a', id: 'bc' })).not.toBe(eventKey({ ...identity, source: 'ab', id: 'c' }));
  });
});
