import { BUCKETS, CONSUMERS, STREAMS } from '@plexus/contracts';
import type { Bus } from '../src/index.js';
import { applyStreams, planStreams } from '../src/index.js';
import { COMMANDS, EVENTS, Fixture, failure, worker } from './fixture.js';

const MIB = 1024 * 1024;
const bucket = { name: 'PLEXUS_TEST', ttlMs: 30_000, history: 1, maxBytes: MIB, summary: 'test' };

let fixture: Fixture;
let bus: Bus;

beforeEach(async () => {
  fixture = await Fixture.start();
  bus = await fixture.connect();
});
afterEach(() => fixture.stop());

const actions = (entries: readonly { asset: string; action: string }[]) => entries.map(({ asset, action }) => `${asset} ${action}`);

it('the whole declared topology is created on a small disk, found as declared, and planned as ok afterwards', async () => {
  const planned = await planStreams(bus, { maxBytesCap: 8 * MIB });
  expect(new Set(planned.map(({ action }) => action))).toEqual(new Set(['create']));
  const applied = await applyStreams(bus, { maxBytesCap: 8 * MIB });
  expect(applied).toEqual(planned);
  expect(applied).toHaveLength(STREAMS.length + Object.keys(CONSUMERS).length + Object.keys(BUCKETS).length);
  const again = await planStreams(bus, { maxBytesCap: 8 * MIB });
  expect(again.filter(({ action }) => action !== 'ok')).toEqual([]);
  await bus.checkPlan({ streams: STREAMS, consumers: Object.values(CONSUMERS), buckets: Object.values(BUCKETS) });
});

it('a change that loses nothing is applied, and settings that are not declared stay', async () => {
  const need = { streams: [EVENTS], consumers: [worker({ stream: EVENTS.name, filter: 'plexus.evt.*.test.>' })] };
  await applyStreams(bus, { need });
  const info = await bus.jetstream.streamInfo(EVENTS.name);
  await bus.jetstream.updateStream({ ...(info?.config as object), name: EVENTS.name, description: 'kept' });
  const more = {
    streams: [{ ...EVENTS, maxAgeMs: 60_000, maxBytes: 32 * MIB, subjects: [...EVENTS.subjects, 'plexus.evt.*.more.>'], duplicateWindowMs: 30_000 }],
    consumers: [{ ...(need.consumers[0] as ReturnType<typeof worker>), ackWaitMs: 5_000, maxDeliver: 9, maxAckPending: 7 }],
  };
  const applied = await applyStreams(bus, { need: more });
  expect(actions(applied)).toEqual([`${EVENTS.name} update`, `${EVENTS.name}/test-work update`]);
  expect(applied[0]?.differences.map(({ field }) => field).sort()).toEqual(['duplicate_window', 'max_age', 'max_bytes', 'subjects']);
  expect(actions(await planStreams(bus, { need: more }))).toEqual([`${EVENTS.name} ok`, `${EVENTS.name}/test-work ok`]);
  expect((await bus.jetstream.streamInfo(EVENTS.name))?.config.description).toBe('kept');
});

it('a lower limit is a conflict as soon as it would delete messages, and nothing is touched', async () => {
  await applyStreams(bus, { need: { streams: [EVENTS] } });
  const smaller = { streams: [{ ...EVENTS, maxBytes: 64 * 1024 }] };
  expect(actions(await planStreams(bus, { need: smaller }))).toEqual([`${EVENTS.name} update`]);
  for (let n = 0; n < 3; n += 1) await bus.publishRaw(`plexus.evt.a.test.x.v1.${n}`, Buffer.alloc(40_000));
  const [entry] = await applyStreams(bus, { need: smaller });
  expect(entry).toMatchObject({ action: 'conflict', differences: [{ field: 'max_bytes', reason: expect.stringContaining('would delete messages') }] });
  expect((await bus.jetstream.streamInfo(EVENTS.name))?.state.messages).toBe(3);
  expect((await bus.jetstream.streamInfo(EVENTS.name))?.config.max_bytes).toBe(64 * MIB);
});

it('what the server cannot change is a conflict with the reason, for streams, consumers and buckets', async () => {
  await applyStreams(bus, { need: { streams: [EVENTS, COMMANDS], buckets: [bucket], consumers: [worker()] } });
  const entries = await applyStreams(bus, {
    need: {
      streams: [{ ...EVENTS, retention: 'workqueue' }],
      consumers: [worker({ deliver: 'new' }), worker({ name: 'second', filter: 'plexus.cmd.*.test.>' })],
    },
  });
  expect(entries.map(({ action }) => action)).toEqual(['conflict', 'conflict', 'conflict']);
  for (const entry of entries) expect(entry.differences.some(({ reason }) => reason !== undefined && reason.length > 10)).toBe(true);
});

it('fewer kept revisions in a bucket are a conflict once they exist', async () => {
  const deep = { ...bucket, ttlMs: 0, history: 5 };
  await applyStreams(bus, { need: { buckets: [deep] } });
  const kv = await bus.kv(deep);
  await kv.put('a', 1);
  expect(actions(await planStreams(bus, { need: { buckets: [{ ...deep, history: 1 }] } }))).toEqual(['PLEXUS_TEST update']);
  await kv.put('a', 2);
  expect(actions(await planStreams(bus, { need: { buckets: [{ ...deep, history: 1 }] } }))).toEqual(['PLEXUS_TEST conflict']);
});

it('a check names everything that is missing or differs, and leaves the operator his limits', async () => {
  await applyStreams(bus, { need: { streams: [EVENTS, COMMANDS], consumers: [worker()], buckets: [bucket] } });
  await bus.checkPlan({
    streams: [{ ...EVENTS, maxBytes: 5 * MIB, maxAgeMs: 1_000 }, COMMANDS.name],
    consumers: [worker()],
    buckets: [{ ...bucket, maxBytes: 2 * MIB }],
  });
  const error = await failure(
    bus.checkPlan({
      streams: ['PLEXUS_NOWHERE', { ...EVENTS, subjects: ['plexus.evt.*.other.>'] }],
      consumers: [worker({ ackWaitMs: 9_000 }), worker({ name: 'missing' })],
      buckets: [{ ...bucket, name: 'PLEXUS_MISSING' }],
    }),
  );
  expect(error).toMatchObject({ code: 'STREAM_PLAN_MISMATCH', message: expect.stringContaining('plexus nats apply') });
  expect(error.details?.problems).toEqual([
    'stream PLEXUS_NOWHERE is missing',
    expect.stringContaining(`stream ${EVENTS.name}: subjects is ["plexus.evt.*.test.>"]`),
    'bucket PLEXUS_MISSING is missing',
    expect.stringContaining(`consumer ${COMMANDS.name}/test-work: ack_wait is 60000000000`),
    `consumer ${COMMANDS.name}/missing is missing`,
  ]);
});
