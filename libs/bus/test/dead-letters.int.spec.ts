import { CONSUMERS, STREAMS, type StreamDefinition } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import type { Bus, Delivery, Outcome } from '../src/index.js';
import { drop, listParked, parkExhausted, redrive, showParked } from '../src/index.js';
import { Fixture, failure } from './fixture.js';

/** The advisory handler knows the declared streams only, so these tests use two of them. */
const named = (name: string): StreamDefinition => ({ ...(STREAMS.find((stream) => stream.name === name) as StreamDefinition), maxBytes: 8 * 1024 * 1024 });
const RUNS = named('PLEXUS_CMD_RUN');
const SESSIONS = named('PLEXUS_EVT_SESSION');
const scheduler = { ...CONSUMERS.schedulerRun, maxDeliver: 2 };
const endings = { ...CONSUMERS.routingSessionEnds, maxDeliver: 2 };

let fixture: Fixture;
let bus: Bus;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({
    streams: [RUNS, SESSIONS, named('PLEXUS_DLQ'), named('PLEXUS_ADVISORIES')],
    consumers: [scheduler, endings, CONSUMERS.dlqAdvisories],
  });
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
});
afterEach(async () => {
  for (const { seq } of await listParked(bus)) await drop(bus, seq);
  await fixture.disconnectAll();
});

const parkAll = async (): Promise<Outcome> => ({ kind: 'park', code: 'NOT_FOUND', reason: 'nobody' });
const event = (tenant: string, n: number) => JSON.stringify({ specversion: '1.0', id: `${n}`, source: '/x', type: 't', tenantid: tenant, data: { n } });
const send = (tenant: string, n: number) =>
  bus.publishRaw(`plexus.cmd.${tenant}.run.start.v1.s${n}`, Buffer.from(event(tenant, n)), {
    headers: { traceparent: 'tp' },
    msgId: `${tenant}-${n}-${Math.random()}`,
  });

async function park(count: number, tenant = 'acme') {
  const consumption = bus.consume(scheduler, parkAll, { heartbeatMs: 500 });
  for (let n = 0; n < count; n += 1) await send(tenant, n);
  await waitFor(() => consumption.stats.parked === count);
  await consumption.stop();
  return listParked(bus);
}

describe('parked messages', () => {
  it('are listed oldest first, page by page, by tenant and by consumer', async () => {
    await park(3, 'acme');
    await park(2, 'globex');
    expect((await listParked(bus)).length).toBe(5);
    expect((await listParked(bus, { tenant: 'globex' })).map(({ originSubject }) => originSubject)).toEqual([
      'plexus.cmd.globex.run.start.v1.s0',
      'plexus.cmd.globex.run.start.v1.s1',
    ]);
    expect(await listParked(bus, { consumer: 'somebody-else' })).toEqual([]);
    const first = await listParked(bus, { limit: 2, consumer: scheduler.name });
    const rest = await listParked(bus, { after: first[1]?.seq as number });
    expect([...first, ...rest].map(({ seq }) => seq)).toEqual((await listParked(bus)).map(({ seq }) => seq));
  });

  it('are redriven as they were: original bytes, original subject, own headers, once', async () => {
    const [parked] = await park(1);
    await redrive(bus, parked?.seq as number);
    const seen: Delivery[] = [];
    const consumption = bus.consume(
      scheduler,
      async (delivery) => {
        seen.push(delivery);
        return { kind: 'done' };
      },
      { heartbeatMs: 500 },
    );
    await waitFor(() => seen.length === 1);
    await consumption.stop();
    expect(seen[0]?.subject).toBe('plexus.cmd.acme.run.start.v1.s0');
    expect(Buffer.from(seen[0]?.raw as Uint8Array).toString()).toBe(event('acme', 0));
    expect(seen[0]?.headers.get('traceparent')).toBe('tp');
    expect([...(seen[0]?.headers.keys() ?? [])].filter((name) => name.startsWith('Plexus-Dlq'))).toEqual([]);
    expect(await listParked(bus)).toEqual([]);
    expect(await failure(redrive(bus, parked?.seq as number))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are not published twice when a redrive is repeated before the parked one was removed', async () => {
    const [parked] = await park(1);
    const detail = await showParked(bus, parked?.seq as number);
    const before = (await bus.jetstream.streamInfo(RUNS.name))?.state.messages as number;
    await bus.publishRaw(detail?.originSubject as string, detail?.body as Uint8Array, { msgId: `redrive:${parked?.seq}` });
    await redrive(bus, parked?.seq as number);
    expect((await bus.jetstream.streamInfo(RUNS.name))?.state.messages).toBe(before + 1);
    const consumption = bus.consume(scheduler, async () => ({ kind: 'done' }), { heartbeatMs: 500 });
    await waitFor(() => consumption.stats.done === 1);
    await consumption.stop();
  });

  it('that fill a message to the last byte are parked without their body, which is found where it came from', async () => {
    const subject = 'plexus.evt.acme.session.message.v1.large';
    const large = Buffer.alloc(1024 * 1024 - 100, 'x');
    const { seq } = await bus.publishRaw(subject, large);
    await bus.park({ subject, raw: large, headers: new Map(), stream: SESSIONS.name, seq, consumer: 'any', attempts: 1, code: 'INVALID_EVENT', reason: 'x' });
    const [parked] = await listParked(bus);
    expect(parked?.bytes).toBe(0);
    expect(Buffer.from((await showParked(bus, parked?.seq as number))?.body ?? '').equals(large)).toBe(true);
    const work = {
      subject: 'plexus.cmd.acme.run.start.v1.large',
      raw: large,
      headers: new Map(),
      stream: RUNS.name,
      seq: 1,
      consumer: 'any',
      attempts: 1,
      code: 'X',
      reason: 'x',
    };
    expect(await failure(bus.park(work))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await redrive(bus, parked?.seq as number);
    expect((await bus.lastOnSubject(SESSIONS.name, subject))?.seq).toBeGreaterThan(seq);
    await bus.park({
      subject,
      raw: large,
      headers: new Map(),
      stream: SESSIONS.name,
      seq: 999_999,
      consumer: 'any',
      attempts: 1,
      code: 'INVALID_EVENT',
      reason: 'x',
    });
    expect(await failure(redrive(bus, (await listParked(bus))[0]?.seq as number))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are never sent to, nor read from, another tenant, whatever their headers say', async () => {
    const theirs = await send('globex', 1);
    const forge = (headers: Record<string, string>) =>
      bus.publishRaw('plexus.dlq.acme.run.scheduler-run-start.v1.x', Buffer.from('{}'), {
        headers: { 'Plexus-Dlq-Code': 'NOT_FOUND', 'Plexus-Dlq-Reason': 'x', 'Plexus-Dlq-Attempts': '1', 'Plexus-Dlq-Consumer': scheduler.name, ...headers },
      });
    const posing = await forge({ 'Plexus-Dlq-Subject': 'plexus.cmd.globex.run.start.v1.s9', 'Plexus-Dlq-Stream': RUNS.name, 'Plexus-Dlq-Sequence': '1' });
    expect(await failure(redrive(bus, posing.seq))).toMatchObject({ code: 'TENANT_MISMATCH' });
    const reading = await forge({
      'Plexus-Dlq-Body': 'omitted',
      'Plexus-Dlq-Subject': 'plexus.cmd.acme.run.start.v1.s1',
      'Plexus-Dlq-Stream': RUNS.name,
      'Plexus-Dlq-Sequence': String(theirs.seq),
    });
    expect(Buffer.from((await showParked(bus, reading.seq))?.body ?? []).toString()).toBe('{}');
    await bus.jetstream.deleteMessage(RUNS.name, theirs.seq);
  });

  it('are sent again also when somebody else has used the id of a redrive', async () => {
    const [parked] = await park(1);
    await bus.publishRaw('plexus.cmd.globex.run.start.v1.s7', Buffer.from(event('globex', 7)), { msgId: `redrive:${parked?.seq}` });
    const { stream, seq } = await redrive(bus, parked?.seq as number);
    expect((await bus.messageAt(stream, seq))?.subject).toBe('plexus.cmd.acme.run.start.v1.s0');
    const consumption = bus.consume(scheduler, async () => ({ kind: 'done' }), { heartbeatMs: 500 });
    await waitFor(() => consumption.stats.done === 2);
    await consumption.stop();
  });

  it('can be dropped for good', async () => {
    const [parked] = await park(1);
    expect(await drop(bus, parked?.seq as number)).toBe(true);
    expect(await drop(bus, parked?.seq as number)).toBe(false);
    expect(await showParked(bus, parked?.seq as number)).toBeUndefined();
  });
});

describe('a message that kills every worker', () => {
  // Elsewhere the wait is as long as declared: a slow machine must not make a repetition of what is being handled.
  beforeAll(() => fixture.apply({ consumers: [scheduler, endings].map((consumer) => ({ ...consumer, ackWaitMs: 300 })) }));
  afterAll(() => fixture.apply({ consumers: [scheduler, endings] }));
  // A pull request without anybody behind it would not be served.
  beforeEach(() => void bus.connection.subscribe('nobody.listens'));

  /** Workers that take a message and die, one after the other: no ending, no sign of life. */
  async function takeAndDieUntilParked(stream: string, consumer: string) {
    return waitFor(
      async () => {
        bus.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify({ batch: 1, expires: 400_000_000 }), {
          reply: 'nobody.listens',
        });
        return (await listParked(bus, { consumer }))[0];
      },
      { intervalMs: 100 },
    );
  }

  it('is parked from its work queue with MAX_DELIVERIES when the server gives up, and removed there', async () => {
    bus.consume(CONSUMERS.dlqAdvisories, parkExhausted(bus), { format: 'json', heartbeatMs: 500 });
    const { seq } = await send('acme', 1);
    const parked = await takeAndDieUntilParked(RUNS.name, scheduler.name);
    expect(parked).toMatchObject({ code: 'MAX_DELIVERIES', consumer: scheduler.name, originStream: RUNS.name, originSeq: seq, attempts: 2 });
    expect(parked.subject).toBe(`plexus.dlq.acme.run.${scheduler.name}.v1.s1`);
    const detail = await showParked(bus, parked.seq);
    expect(Buffer.from(detail?.body as Uint8Array).toString()).toBe(event('acme', 1));
    await waitFor(async () => (await bus.messageAt(RUNS.name, seq)) === undefined);
  });

  it('stays in a stream that others read too', async () => {
    bus.consume(CONSUMERS.dlqAdvisories, parkExhausted(bus), { format: 'json', heartbeatMs: 500 });
    const { seq } = await bus.publishRaw('plexus.evt.acme.session.event.v1.s1', Buffer.from(event('acme', 9)));
    await takeAndDieUntilParked(SESSIONS.name, endings.name);
    expect(await bus.messageAt(SESSIONS.name, seq)).toBeDefined();
  });

  it('is left alone when it is gone or not ours', async () => {
    const handle = parkExhausted(bus);
    const advisory = (data: unknown) => handle({ data } as Delivery);
    expect(await advisory({ stream: RUNS.name, consumer: 'x', stream_seq: 999_999, deliveries: 2 })).toEqual({ kind: 'done' });
    expect(await advisory({ stream: 'SOMEBODY_ELSES', consumer: 'x', stream_seq: 1, deliveries: 2 })).toEqual({ kind: 'done' });
    expect(await advisory({ type: 'nonsense' })).toMatchObject({ kind: 'park' });
    expect(await listParked(bus)).toEqual([]);
  });
});

it('a message that cannot be parked stays where it is until it can', async () => {
  await bus.connection.request('$JS.API.STREAM.DELETE.PLEXUS_DLQ', '', { timeout: 30_000 });
  // Parking gives up after ten seconds, the message goes back, and its next delivery is parked.
  const consumption = bus.consume(scheduler, parkAll, { heartbeatMs: 500 });
  await send('acme', 5);
  await waitFor(() => consumption.stats.retried >= 1);
  expect(consumption.stats.parked).toBe(0);
  await fixture.apply({ streams: [named('PLEXUS_DLQ')] });
  await waitFor(() => consumption.stats.parked === 1, { timeoutMs: 60_000 });
  expect(await listParked(bus)).toHaveLength(1);
});
