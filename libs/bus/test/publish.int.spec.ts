import { waitFor } from '@plexus/testing';
import type { Bus } from '../src/index.js';
import { COMMANDS, EVENTS, Fixture, failure, foreign, happened, INBOUND, work } from './fixture.js';

let fixture: Fixture;
let bus: Bus;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({ streams: [EVENTS, INBOUND, { ...COMMANDS, maxBytes: 2_048, maxMessageBytes: 1_024 }] });
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
});
afterEach(() => fixture.disconnectAll());

const stored = async (subject: string) => {
  const message = await bus.lastOnSubject(EVENTS.name, subject);
  return message?.json<Record<string, unknown>>();
};

describe('publish', () => {
  it('stores a CloudEvents 1.0 event under the subject of its contract and answers with its sequence', async () => {
    const ack = await bus.publish(happened, { tenant: 'acme', key: ['Thing 1'], data: { thingId: 'Thing 1', n: 1 }, extensions: { severity: 'high' } });
    expect(ack).toMatchObject({ stream: EVENTS.name, duplicate: false });
    const event = await stored('plexus.evt.acme.test.happened.v1.x--_54hing_201');
    expect(event).toMatchObject({
      specversion: '1.0',
      type: 'dev.plexus.test.happened.v1',
      source: '/plexus/test',
      tenantid: 'acme',
      severity: 'high',
      datacontenttype: 'application/json',
      data: { thingId: 'Thing 1', n: 1 },
    });
    expect(event?.id).toMatch(/^[0-9a-z]{26}$/);
  });

  it('of the same event twice is stored once and says so', async () => {
    const event = { tenant: 'acme', key: ['a'], data: { thingId: 'a', n: 1 }, id: 'evt-1' };
    const first = await bus.publish(happened, event);
    const second = await bus.publish(happened, event);
    expect(first.duplicate).toBe(false);
    expect(second).toEqual({ ...first, duplicate: true });
    const other = await bus.publish(happened, { ...event, tenant: 'globex' });
    expect(other.duplicate).toBe(false);
  });

  it('takes a message id of its own, or none', async () => {
    const event = { tenant: 'acme', key: ['a'], data: { thingId: 'a', n: 1 } };
    await bus.publish(happened, { ...event, msgId: 'mine' });
    expect(await bus.publish(happened, { ...event, msgId: 'mine' })).toMatchObject({ duplicate: true });
    await bus.publish(happened, { ...event, id: 'same', msgId: null });
    expect(await bus.publish(happened, { ...event, id: 'same', msgId: null })).toMatchObject({ duplicate: false });
  });

  it('refuses data, keys, tenants and extensions that do not fit, before anything is sent', async () => {
    const good = { tenant: 'acme', key: ['a'], data: { thingId: 'a', n: 1 } };
    const codes = await Promise.all(
      [
        { ...good, data: { thingId: 'a', n: 1.5 } },
        { ...good, data: { thingId: 'a', n: 1, typo: true } },
        { ...good, key: [] },
        { ...good, key: ['a', 'b'] },
        { ...good, tenant: 'Not A Tenant' },
        { ...good, extensions: { id: 'stolen' } },
        { ...good, extensions: { 'Bad-Name': 'x' } },
        { ...good, time: 'yesterday' },
        { ...good, id: '' },
      ].map(async (event) => (await failure(bus.publish(happened, event as never))).code),
    );
    expect(new Set(codes)).toEqual(new Set(['INVALID_REQUEST']));
  });

  it('above 1 MiB is PAYLOAD_TOO_LARGE', async () => {
    const note = 'x'.repeat(1024 * 1024);
    expect(await failure(bus.publish(happened, { tenant: 'acme', key: ['a'], data: { thingId: 'a', n: 1, note } }))).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    expect(await failure(bus.publishRaw('plexus.evt.acme.test.happened.v1.a', Buffer.alloc(1024 * 1024 + 1)))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('to a stream that is full, or takes no message of that size, says which', async () => {
    expect(await failure(bus.publishRaw('plexus.cmd.acme.test.work.v1.a', Buffer.alloc(1_500)))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    const fill = async () => {
      for (let n = 0; n < 20; n += 1) await bus.publish(work, { tenant: 'acme', key: ['a'], data: { thingId: 'a', n } });
    };
    expect(await failure(fill())).toMatchObject({ code: 'QUEUE_FULL', retryable: true });
  });

  it('to a subject that no stream stores fails with NO_RESPONDERS when its time is over', async () => {
    const startedAt = performance.now();
    expect(await failure(bus.publishRaw('plexus.evt.acme.nowhere.x.v1.a', Buffer.from('{}'), { timeoutMs: 300 }))).toMatchObject({ code: 'NO_RESPONDERS' });
    // Ten milliseconds are left over at most twice: a shorter rest is not worth another try.
    expect(performance.now() - startedAt).toBeGreaterThan(275);
  });

  it('of a foreign event goes under the given source token', async () => {
    await bus.publish(foreign, { tenant: 'acme', key: ['c1'], data: { contactId: 'c1', more: [1] }, source: 'https://crm.example', sourceToken: 'salesforce' });
    const message = await bus.lastOnSubject(INBOUND.name, 'plexus.in.acme.salesforce.contact-updated.v1.c1');
    expect(message?.json()).toMatchObject({ source: 'https://crm.example', data: { contactId: 'c1', more: [1] } });
    const wildcard = bus.publish(foreign, { tenant: 'acme', key: ['c1'], data: { contactId: 'c1' }, sourceToken: 'a.*' });
    expect(await failure(wildcard)).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('with an expected last sequence appends only when nobody else did', async () => {
    const subject = 'plexus.evt.acme.test.happened.v1.cas';
    const body = Buffer.from('{}');
    const first = await bus.publishRaw(subject, body, { expectedLastSubjectSeq: 0 });
    expect(await failure(bus.publishRaw(subject, body, { expectedLastSubjectSeq: 0 }))).toMatchObject({ code: 'CONFLICT' });
    await bus.publishRaw(subject, body, { expectedLastSubjectSeq: first.seq });
  });

  it('keeps headers, and refuses those that would break the block', async () => {
    const subject = 'plexus.evt.acme.test.happened.v1.headers';
    await bus.publishRaw(subject, Buffer.from('{}'), { headers: { 'X-One': 'grün', 'x-two': '2' }, msgId: 'h1' });
    const message = await bus.lastOnSubject(EVENTS.name, subject);
    expect(Object.fromEntries(message?.headers ?? [])).toEqual({ 'X-One': 'grün', 'x-two': '2', 'Nats-Msg-Id': 'h1' });
    for (const headers of [{ 'X-One': 'a\r\nNats-Msg-Id: b' }, { 'X\r\nOne': 'a' }, { 'X One': 'a' }]) {
      expect(await failure(bus.publishRaw(subject, Buffer.from('{}'), { headers: headers as never }))).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });
});

it('an encoded event published later is the same event', async () => {
  const encoded = bus.encodeEvent(happened, { tenant: 'acme', key: ['outbox'], data: { thingId: 'outbox', n: 7 } });
  await bus.publishRaw(encoded.subject, encoded.body, { headers: encoded.headers, msgId: encoded.msgId });
  expect(await bus.publishRaw(encoded.subject, encoded.body, { headers: encoded.headers, msgId: encoded.msgId })).toMatchObject({ duplicate: true });
  expect(await stored('plexus.evt.acme.test.happened.v1.outbox')).toMatchObject({ data: { n: 7 } });
});

it('publishing goes on through kill -9 of the server: everything acknowledged is stored, everything is stored exactly once', async () => {
  const acknowledged = new Set<number>();
  let stopped = false;
  const publishing = (async () => {
    for (let n = 0; !stopped || n < 50; n += 1) {
      await bus.publish(happened, { tenant: 'acme', key: ['crash'], data: { thingId: 'crash', n } }, { timeoutMs: 60_000 });
      acknowledged.add(n);
    }
  })();
  await waitFor(() => acknowledged.size > 10);
  await fixture.crash();
  const before = acknowledged.size;
  await waitFor(() => acknowledged.size > before + 10);
  stopped = true;
  await publishing;
  const found: number[] = [];
  const reading = bus.readOrdered(EVENTS.name, { filter: 'plexus.evt.acme.test.happened.v1.crash', from: 'all' }, (message) => {
    found.push(message.json<{ data: { n: number } }>().data.n);
  });
  await waitFor(() => found.length >= acknowledged.size);
  await reading.stop();
  expect(found).toEqual([...acknowledged]);
});
