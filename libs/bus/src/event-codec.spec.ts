import { CloudEvent, defineEvent, parseSubject } from '@plexus/contracts';
import fc from 'fast-check';
import { z } from 'zod';
import { contractOf, decodeEvent, encodeEvent } from './event-codec.js';

const contract = defineEvent({
  domain: 'test',
  name: 'happened',
  version: 1,
  key: ['id'],
  summary: 'Test.',
  data: z.object({ id: z.string(), n: z.number().optional() }),
  examples: [{ id: 'a' }],
});

it('what is encoded is a CloudEvent that is decoded to the same, whatever the texts are', () => {
  const text = fc.string({ minLength: 1, maxLength: 30, unit: 'binary' });
  fc.assert(
    fc.property(text, text, text, fc.record({ severity: fc.constantFrom('low', 'critical'), dedupkey: text }), (id, source, key, extensions) => {
      const encoded = encodeEvent(contract, { tenant: 'acme', key: [key], data: { id: key }, id, source, extensions: { ...extensions, flag: true } }, 'svc');
      const event = decodeEvent(encoded.body, parseSubject(encoded.subject));
      // Lone surrogates cannot be carried by UTF-8; everything else arrives as it was.
      const carried = (value: string) => Buffer.from(value).toString();
      expect(event).toEqual({
        specversion: '1.0',
        id: carried(id),
        source: carried(source),
        type: 'dev.plexus.test.happened.v1',
        time: expect.any(String),
        datacontenttype: 'application/json',
        tenantid: 'acme',
        severity: extensions.severity,
        dedupkey: carried(extensions.dedupkey),
        flag: true,
        data: { id: carried(key) },
      });
      expect(CloudEvent.safeParse(JSON.parse(Buffer.from(encoded.body).toString())).success).toBe(true);
    }),
  );
});

it('the deduplication id depends on tenant, source and id and on nothing else', () => {
  const base = { tenant: 'acme', key: ['a'], data: { id: 'a' }, id: '1', source: '/x' };
  const idOf = (change: object) => encodeEvent(contract, { ...base, ...change }, 'svc').msgId;
  expect(idOf({ time: '2026-01-01T00:00:00Z', data: { id: 'a', n: 1 }, key: ['b'] })).toBe(idOf({}));
  const different = [idOf({}), idOf({ tenant: 'globex' }), idOf({ source: '/y' }), idOf({ id: '2' })];
  expect(new Set(different).size).toBe(4);
  expect(idOf({ msgId: 'own' })).toBe('own');
  expect(idOf({ msgId: null })).toBeUndefined();
});

it('events without tenant carry none', () => {
  const { body, subject } = encodeEvent(contract, { tenant: '_', key: ['a'], data: { id: 'a' } }, 'svc');
  expect(subject).toBe('plexus.evt._.test.happened.v1.a');
  expect(JSON.parse(Buffer.from(body).toString())).not.toHaveProperty('tenantid');
});

it('the contract of a subject is found by kind, domain, name and version; foreign events by name alone', () => {
  const inbound = { ...contract, kind: 'in', domain: 'crm' } as never;
  expect(contractOf(parseSubject('plexus.evt.acme.test.happened.v1.a'), [contract])).toBe(contract);
  expect(contractOf(parseSubject('plexus.evt.acme.test.happened.v2.a'), [contract])).toBeUndefined();
  expect(contractOf(parseSubject('plexus.evt.acme.other.happened.v1.a'), [contract])).toBeUndefined();
  expect(contractOf(parseSubject('plexus.in.acme.salesforce.happened.v1.a'), [contract, inbound])).toBe(inbound);
});
