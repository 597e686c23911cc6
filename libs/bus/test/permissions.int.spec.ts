import { createUser } from '@nats-io/nkeys';
import { BUCKETS, CONSUMERS, permissionsFor, ROLES, routingContracts, STREAMS, sessionContracts } from '@plexus/contracts';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { applyStreams, type Bus, connectBus, discoverServices, drop, listParked, redrive } from '../src/index.js';
import { failure } from './fixture.js';

const role = (name: string) => ROLES.find((candidate) => candidate.name === name) as (typeof ROLES)[number];
const seeds = new Map<string, string>();

function user(name: string, permissions?: ReturnType<typeof permissionsFor>) {
  const pair = createUser();
  seeds.set(name, new TextDecoder().decode(pair.getSeed()));
  return { name, credential: { nkey: pair.getPublicKey() }, ...(permissions && { permissions }) };
}

let nats: TestNats;
const buses: Bus[] = [];

async function as(service: string): Promise<Bus> {
  const bus = await connectBus({ service, servers: nats.url, credentials: { nkeySeed: seeds.get(service) as string }, allowAnonymous: true });
  buses.push(bus);
  return bus;
}

beforeAll(async () => {
  nats = await startTestNats({ users: [user('operator'), user('routing', permissionsFor(role('routing'))), user('gateway', permissionsFor(role('gateway')))] });
  const entries = await applyStreams(await as('operator'), { maxBytesCap: 4 * 1024 * 1024 });
  expect(entries.filter(({ action }) => action === 'conflict')).toEqual([]);
});
afterAll(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  await nats.stop();
});

it('a service does everything it declares with the permissions that its contracts give it', async () => {
  const [routing, gateway] = [await as('routing'), await as('gateway')];
  await routing.checkPlan({ streams: ['PLEXUS_EVT_SESSION'], consumers: [CONSUMERS.routingSessionEnds], buckets: [BUCKETS.config, BUCKETS.leases] });

  routing.serve(routingContracts.cancelRun, async () => ({ status: 'cancelled' }) as never);
  routing.registerDiscovery({ version: '1.0.0' });
  await routing.connection.flush();
  const example = routingContracts.cancelRun.examples[0] as never;
  await gateway.call(routingContracts.cancelRun, 'acme', example).catch((error: { code: string }) => expect(error.code).toBe('INTERNAL'));

  const [sessionExample] = sessionContracts.sessionEvent.examples;
  const seen: number[] = [];
  const reading = gateway.readOrdered('PLEXUS_EVT_SESSION', { filter: 'plexus.evt.acme.session.event.v1.>', from: 'all' }, ({ seq }) => void seen.push(seq));
  const consumption = routing.consume(CONSUMERS.routingSessionEnds, async () => ({ kind: 'park', code: 'NOT_FOUND', reason: 'test' }), { heartbeatMs: 500 });
  await gateway.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: ['s1'], data: sessionExample as never });
  await waitFor(() => seen.length === 1 && consumption.stats.parked === 1);
  await reading.stop();
  expect(await listParked(await as('operator'))).toHaveLength(1);

  const leases = await routing.kv(BUCKETS.leases);
  const revision = (await leases.create('acme.lease.x', 1)) as number;
  await leases.update('acme.lease.x', 2, revision);
  const keys: string[] = [];
  await leases.watch('>', ({ key }) => void keys.push(key)).ready;
  expect(keys).toEqual(['acme.lease.x']);
  expect(await leases.keys()).toEqual(['acme.lease.x']);
  await leases.delete('acme.lease.x');
});

it('routing reads dead letters of every consumer, sends them again where they came from, and drops them', async () => {
  const [operator, routing] = [await as('operator'), await as('routing')];
  const known = new Set((await listParked(operator)).map(({ seq }) => seq));
  const origins = Object.values(CONSUMERS).filter(({ filter }) => filter.startsWith('plexus.'));
  for (const { stream, name: consumer, filter } of origins) {
    const subject = filter
      .replace('.*.', '.acme.')
      .replaceAll('*', 'crm')
      .replace(/>$/, filter.includes('.v1.') ? 'k1' : 'thing.v1.k1');
    await operator.park({ subject, raw: Buffer.from('{}'), headers: new Map(), stream, seq: 1_000, consumer, attempts: 1, code: 'NOT_FOUND', reason: 'test' });
  }
  const parked = (await listParked(routing)).filter(({ seq }) => !known.has(seq));
  expect(parked.map(({ consumer }) => consumer).sort()).toEqual(origins.map(({ name }) => name).sort());
  for (const { seq, originStream } of parked) expect(await redrive(routing, seq)).toMatchObject({ stream: originStream });
  for (const seq of known) expect(await drop(routing, seq)).toBe(true);
  const handled = new Set([...known, ...parked.map(({ seq }) => seq)]);
  expect((await listParked(operator)).filter(({ seq }) => handled.has(seq))).toEqual([]);
});

it('the gateway sees every replica, stream and consumer, and what they say of themselves', async () => {
  const [gateway, replica] = [await as('gateway'), await as('routing')];
  replica.registerDiscovery({ version: '2.0.0', metadata: { instance: 'r2' }, data: () => ({ ready: true }) });
  await replica.connection.flush();
  const found = await waitFor(async () => (await discoverServices(gateway)).find(({ version }) => version === '2.0.0'));
  expect(found).toMatchObject({ service: 'routing', metadata: { instance: 'r2' }, data: { ready: true }, startedAt: expect.any(String) });
  const streams = (await gateway.jetstream.streams()).map(({ config }) => config.name);
  expect(streams).toEqual(expect.arrayContaining([...STREAMS.map(({ name }) => name), `KV_${BUCKETS.config.name}`]));
  const consumers = (await gateway.jetstream.consumers('PLEXUS_IN')).map(({ name }) => name);
  expect(consumers).toEqual(expect.arrayContaining([CONSUMERS.pushIn.name, CONSUMERS.routingInbound.name]));
  expect(await gateway.jetstream.consumers('NO_SUCH_STREAM')).toEqual([]);
});

it('asks the replicas under the prefix that its connection was given', async () => {
  const credentials = { nkeySeed: seeds.get('gateway') as string };
  const asking = await connectBus({ service: 'gateway', servers: nats.url, credentials, allowAnonymous: true, inboxPrefix: '_INBOX_gateway.own' });
  buses.push(asking);
  const asked: (string | undefined)[] = [];
  const listening = (await as('operator')).connection.subscribe('$SRV.STATS', { callback: (_error, { reply }) => void asked.push(reply) });
  await buses.at(-1)?.connection.flush();
  await discoverServices(asking, { maxMs: 500 });
  await waitFor(() => asked.some((reply) => reply?.startsWith('_INBOX_gateway.own.')), { what: 'the question with its prefix' });
  listening.unsubscribe();
});

it('what a credential may not publish fails with FORBIDDEN at once, not with a timeout', async () => {
  const gateway = await as('gateway');
  // A wait for the time limit would end this test, and with another code.
  expect(await failure(gateway.publishRaw('plexus.cmd.acme.run.start.v1.s1', Buffer.from('{}'), { timeoutMs: 120_000 }))).toMatchObject({ code: 'FORBIDDEN' });
  expect(await failure((await gateway.kv(BUCKETS.config)).put('acme', {}))).toMatchObject({ code: 'FORBIDDEN' });
  expect(STREAMS.length).toBeGreaterThan(0);
});

it('a wrong seed never connects', async () => {
  seeds.set('stranger', new TextDecoder().decode(createUser().getSeed()));
  expect(
    await failure(connectBus({ service: 'stranger', servers: nats.url, credentials: { nkeySeed: seeds.get('stranger') as string }, connectTimeoutMs: 400 })),
  ).toMatchObject({ code: 'UNAVAILABLE' });
});
