import { waitFor } from '@plexus/testing';
import type { Bus } from '../src/index.js';
import { Fixture, failure, greet, RecordingLog, tick } from './fixture.js';

let fixture: Fixture;
let bus: Bus;

beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
});
afterEach(() => fixture.disconnectAll());

describe('live frames', () => {
  it('reach every listener whose selection matches, with their address', async () => {
    const seen: Record<string, string[]> = { all: [], acme: [], room: [], seat: [] };
    const into =
      (name: string) =>
      (data: { n: number }, { tenant, key }: { tenant: string; key: readonly string[] }) =>
        void seen[name]?.push(`${tenant}/${key.join('/')}=${data.n}`);
    bus.listenLive(tick, {}, into('all'));
    bus.listenLive(tick, { tenant: 'acme' }, into('acme'));
    bus.listenLive(tick, { tenant: 'acme', key: ['Room 1'] }, into('room'));
    const seat = bus.listenLive(tick, { key: ['Room 1', 's2'] }, into('seat'));
    bus.publishLive(tick, 'acme', ['Room 1', 's1'], { n: 1 });
    bus.publishLive(tick, 'acme', ['Room 1', 's2'], { n: 2 });
    bus.publishLive(tick, 'globex', ['lobby', 's1'], { n: 3 });
    await waitFor(() => seen.all?.length === 3);
    expect(seen).toEqual({
      all: ['acme/Room 1/s1=1', 'acme/Room 1/s2=2', 'globex/lobby/s1=3'],
      acme: ['acme/Room 1/s1=1', 'acme/Room 1/s2=2'],
      room: ['acme/Room 1/s1=1', 'acme/Room 1/s2=2'],
      seat: ['acme/Room 1/s2=2'],
    });
    seat.stop();
  });

  it('that do not fit are refused by the sender and dropped by the listener', async () => {
    const log = new RecordingLog();
    const listener = await fixture.connect({ log });
    const seen: unknown[] = [];
    listener.listenLive(tick, {}, (data) => void seen.push(data));
    await listener.connection.flush();
    expect(await failure((async () => bus.publishLive(tick, 'acme', ['a', 'b'], { n: 'x' } as never))())).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await failure((async () => bus.publishLive(tick, 'acme', ['a'], { n: 1 }))())).toMatchObject({ code: 'INVALID_REQUEST' });
    bus.connection.publish('plexus.rt.acme.test.tick.v1.a.b', '{"n":"x"}');
    bus.connection.publish('plexus.rt.acme.test.tick.v1.a.b', 'garbage');
    bus.connection.publish('plexus.rt.acme.test.tick.v1.a.b', '{"n":7,"newer":1}');
    await waitFor(() => seen.length === 1);
    expect(seen).toEqual([{ n: 7 }]);
    expect(log.messages('warn').filter((message) => message === 'a live frame was dropped')).toHaveLength(2);
  });

  it('sent while disconnected are dropped, and listening goes on after the reconnect', async () => {
    const seen: number[] = [];
    bus.listenLive(tick, {}, ({ n }) => void seen.push(n));
    await fixture.nats.kill('SIGKILL');
    await waitFor(() => !bus.isConnected());
    bus.publishLive(tick, 'acme', ['a', 'b'], { n: 1 });
    await fixture.nats.restart();
    await waitFor(() => bus.isConnected());
    bus.publishLive(tick, 'acme', ['a', 'b'], { n: 2 });
    await waitFor(() => seen.length === 1);
    expect(seen).toEqual([2]);
  });
});

describe('discovery', () => {
  const askOnce = async (subject: string) => {
    const answers: Record<string, unknown>[] = [];
    for await (const message of await bus.connection.requestMany(subject, '', { maxWait: 200 })) answers.push(message.json());
    return answers;
  };
  /** What so many replicas answer; on a slow machine not all do within the time of one question. */
  const ask = (subject: string, replicas = 1) =>
    waitFor(async () => {
      const answers = await askOnce(subject);
      return answers.length >= replicas ? answers : undefined;
    });

  it('finds every replica by PING, in general, by name and by id', async () => {
    const replica = await fixture.connect();
    bus.registerDiscovery({ version: '1.2.3' });
    replica.registerDiscovery({ version: '1.2.3' });
    await Promise.all([bus.connection.flush(), replica.connection.flush()]);
    const all = await ask('$SRV.PING', 2);
    expect(all).toHaveLength(2);
    expect(all[0]).toMatchObject({ type: 'io.nats.micro.v1.ping_response', name: 'test', version: '1.2.3', metadata: {} });
    expect(await ask('$SRV.PING.test', 2)).toHaveLength(2);
    expect(await ask(`$SRV.PING.test.${all[0]?.id}`)).toEqual([all[0]]);
  });

  it('tells what is served and how it went', async () => {
    bus.serve(greet, async ({ name }) => {
      if (name === 'bad') throw new Error('no');
      return { text: '' };
    });
    const discovery = bus.registerDiscovery({ version: '1.0.0', description: 'Greets.', metadata: { docs: 'x' } });
    await bus.call(greet, 'acme', { name: 'a' });
    await failure(bus.call(greet, 'acme', { name: 'bad' }));
    const [info] = await ask('$SRV.INFO.test');
    expect(info).toMatchObject({
      type: 'io.nats.micro.v1.info_response',
      description: 'Greets.',
      metadata: { docs: 'x' },
      endpoints: [{ name: 'test_greet_v1', subject: 'plexus.rpc.*.test.greet.v1', queue_group: 'test' }],
    });
    const [stats] = (await ask('$SRV.STATS.test')) as [{ endpoints: [Record<string, unknown>] }];
    const [endpoint] = stats.endpoints;
    expect(endpoint).toMatchObject({ num_requests: 2, num_errors: 1, last_error: expect.stringContaining('INTERNAL') });
    expect(endpoint.processing_time).toBeGreaterThan(0);
    discovery.stop();
    expect(await askOnce('$SRV.PING.test').catch(() => [])).toEqual([]);
  });
});
