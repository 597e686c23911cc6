import { waitFor } from '@plexus/testing';
import type { Bus, OrderedMessage } from '../src/index.js';
import { EVENTS, Fixture, happened } from './fixture.js';

let fixture: Fixture;
let bus: Bus;
let tenant: string;
let counter = 0;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({ streams: [EVENTS] });
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
  counter += 1;
  tenant = `tenant-${counter}`;
});
afterEach(() => fixture.disconnectAll());

const send = (n: number, thingId = 'a') => bus.publish(happened, { tenant, key: [thingId], data: { thingId, n } }, { timeoutMs: 60_000 });
const numberOf = (message: OrderedMessage) => message.json<{ data: { n: number } }>().data.n;
const filterOf = (thingId = '*') => `plexus.evt.${tenant}.test.happened.v1.${thingId}`;
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

it('reads what is stored and what comes, in order, each once', async () => {
  for (const n of upTo(20)) await send(n);
  const seen: number[] = [];
  const reading = bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'all' }, (message) => void seen.push(numberOf(message)));
  expect(await reading.ready).toBe(20);
  for (const n of upTo(20)) await send(20 + n);
  await waitFor(() => seen.length === 40);
  expect(seen).toEqual(upTo(40));
  await reading.stop();
});

it('hands over one message at a time and says how many are behind it', async () => {
  for (const n of upTo(5)) await send(n);
  let running = 0;
  const pending: number[] = [];
  bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'all' }, async (message) => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    pending.push(message.pending);
    running -= 1;
  });
  await waitFor(() => pending.length === 5);
  expect(pending).toEqual([4, 3, 2, 1, 0]);
});

it('starts where it is told: new, last, or a sequence', async () => {
  const acks = [];
  for (const n of upTo(5)) acks.push(await send(n));
  const seen: Record<string, number[]> = { new: [], last: [], seq: [] };
  const into = (name: string) => (message: OrderedMessage) => void seen[name]?.push(numberOf(message));
  const readings = [
    bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'new' }, into('new')),
    bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'last' }, into('last')),
    bus.readOrdered(EVENTS.name, { filter: filterOf(), from: { startSeq: acks[2]?.seq as number } }, into('seq')),
  ];
  await Promise.all(readings.map((reading) => reading.ready));
  await send(5);
  await waitFor(() => seen.new?.length === 1 && seen.last?.length === 2 && seen.seq?.length === 4);
  expect(seen).toEqual({ new: [5], last: [4, 5], seq: [2, 3, 4, 5] });
});

it('with several filters reads exactly what they match', async () => {
  const seen: string[] = [];
  const reading = bus.readOrdered(EVENTS.name, { filter: [filterOf('a'), filterOf('c')], from: 'new' }, (message) => {
    seen.push(message.parsed?.key[0] as string);
  });
  await reading.ready;
  for (const thing of ['a', 'b', 'c', 'b', 'a']) await send(1, thing);
  await waitFor(() => seen.length === 3);
  expect(seen).toEqual(['a', 'c', 'a']);
});

it('a reader that fell behind catches up without a gap, whatever it asks for ahead', async () => {
  for (const n of upTo(300)) await send(n);
  const seen: number[] = [];
  bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'all' }, (message) => void seen.push(numberOf(message)), { prefetch: 3 });
  await waitFor(() => seen.length === 300);
  expect(seen).toEqual(upTo(300));
});

it('goes on without gap or repeat when the server is killed with -9, also in the middle of a backlog', async () => {
  for (const n of upTo(200)) await send(n);
  const seen: number[] = [];
  bus.readOrdered(
    EVENTS.name,
    { filter: filterOf(), from: 'all' },
    async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(numberOf(message));
    },
    { prefetch: 16 },
  );
  await waitFor(() => seen.length > 20);
  await fixture.crash();
  for (const n of upTo(20)) await send(200 + n);
  await waitFor(() => seen.length >= 220);
  expect(seen).toEqual(upTo(220));
});

it('a reader of what is new misses nothing across a crash, even when it had seen nothing yet', async () => {
  const seen: number[] = [];
  const reading = bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'new' }, (message) => void seen.push(numberOf(message)));
  await reading.ready;
  const publisher = await fixture.connect();
  await fixture.crash();
  await publisher.publish(happened, { tenant, key: ['a'], data: { thingId: 'a', n: 0 } }, { timeoutMs: 60_000 });
  await waitFor(() => seen.length === 1);
  expect(seen).toEqual([0]);
});

it('goes on when its consumer disappears at the server', async () => {
  const seen: number[] = [];
  const reading = bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'new' }, (message) => void seen.push(numberOf(message)));
  await reading.ready;
  await send(0);
  await waitFor(() => seen.length === 1);
  const { consumers } = JSON.parse(
    Buffer.from((await bus.connection.request(`$JS.API.CONSUMER.NAMES.${EVENTS.name}`, '', { timeout: 30_000 })).data).toString(),
  ) as {
    consumers: string[];
  };
  for (const name of consumers) await bus.jetstream.deleteConsumer(EVENTS.name, name);
  await send(1);
  await waitFor(() => seen.length === 2, { timeoutMs: 60_000 });
  expect(seen).toEqual([0, 1]);
});

it('ends when its handler throws, and says so', async () => {
  await send(0);
  await send(1);
  const errors: unknown[] = [];
  let calls = 0;
  bus.readOrdered(
    EVENTS.name,
    { filter: filterOf(), from: 'all' },
    () => {
      calls += 1;
      throw new Error('broken');
    },
    { onError: (error) => errors.push(error) },
  );
  await waitFor(() => errors.length === 1);
  expect(errors[0]).toMatchObject({ message: 'broken' });
  expect(calls).toBe(1);
});

it('waits for a stream that does not exist yet', async () => {
  const seen: string[] = [];
  bus.readOrdered('PLEXUS_EVT_LATER', { filter: 'plexus.evt.*.later.>', from: 'all' }, (message) => void seen.push(message.subject));
  await fixture.apply({ streams: [{ ...EVENTS, name: 'PLEXUS_EVT_LATER', subjects: ['plexus.evt.*.later.>'] }] });
  await bus.publishRaw('plexus.evt.acme.later.x.v1.a', Buffer.from('{}'));
  await waitFor(() => seen.length === 1);
});

it('can be stopped from its own handler, and leaves no consumer behind', async () => {
  await send(0);
  let stopped = false;
  const reading = bus.readOrdered(EVENTS.name, { filter: filterOf(), from: 'all' }, () => {
    void reading.stop().then(() => {
      stopped = true;
    });
  });
  await waitFor(() => stopped);
  await waitFor(async () => (await bus.jetstream.streamInfo(EVENTS.name))?.state.consumer_count === 0);
});

it('the last message on a subject, and one at a sequence, are found or undefined', async () => {
  const ack = await send(7);
  expect(await bus.lastOnSubject(EVENTS.name, filterOf('a'))).toMatchObject({ seq: ack.seq, subject: filterOf('a'), pending: 0 });
  expect(numberOf((await bus.messageAt(EVENTS.name, ack.seq)) as OrderedMessage)).toBe(7);
  expect(await bus.lastOnSubject(EVENTS.name, filterOf('nothing'))).toBeUndefined();
  expect(await bus.messageAt(EVENTS.name, 999_999)).toBeUndefined();
});
