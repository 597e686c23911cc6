// From an event to the socket of whom it concerns, 1,000 users, each of whom follows a case of their own: push (a process of its own, nats-server with
// its streams on disk, Postgres with fsync) against BullMQ doing the same on a Postgres with the same settings (its worker is a process of its own too;
// by hand, in one statement, without policies, timers or replay). Both keep the sighting, the decision, the offset and the item in Postgres with fsync
// before anything is sent. Not alike: BullMQ commits the event itself to disk as well, while nats-server answers when it has written it and syncs every
// two minutes; push also keeps a state per user and an outbox for what follows, which the other side has not. Both end in the same socket.io server and clients in this process, so that what differs
// is what lies before. `burst`: events published 64 at a time, first publish to last socket; `alone`: one event at a time. Then a critical event of one
// tenant while another one floods ten times as much.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyStreams, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS, pushContracts } from '@plexus/contracts';
import { createPool, migrate } from '@plexus/database';
import { startTestNats, startTestPostgres } from '@plexus/testing';
import { createPostgresBackend, withBackend } from 'bullmq';
import pg from 'pg';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';

const USERS = 1_000;
const BURST = 3_000;
const ALONE = 150;
const RUNS = 3;
const WINDOW = 64;
const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The edge that both sides share. */
class Edge {
  readonly http = createServer();
  readonly server = new Server(this.http, { transports: ['websocket'] });
  private readonly clients: Socket[] = [];
  /** By event id: called when it is at its client. */
  readonly expected = new Map<string, () => void>();

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    this.server.on('connection', (socket) => void socket.join(String(socket.handshake.auth.user)));
    const { port } = this.http.address() as AddressInfo;
    for (let n = 0; n < USERS; n += 1) {
      const client = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], auth: { user: `user-${n}` }, forceNew: true });
      client.on('item', ({ events }: { events: { id: string }[] }) => {
        for (const { id } of events) this.expected.get(id)?.();
      });
      this.clients.push(client);
      await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    }
  }

  send(user: string, item: unknown): void {
    this.server.to(user).emit('item', item);
  }

  /** Settles when the event is at its client; the moment is in milliseconds. */
  arrival(id: string): Promise<number> {
    return new Promise((resolve) => {
      this.expected.set(id, () => {
        this.expected.delete(id);
        resolve(performance.now());
      });
    });
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await this.server.close();
  }
}

type Publish = (id: string, user: number, tenant?: string, severity?: string) => Promise<unknown>;

async function burst(edge: Edge, publish: Publish, run: string): Promise<number> {
  const arrivals = Array.from({ length: BURST }, (_, n) => edge.arrival(`${run}-${n}`));
  const startedAt = performance.now();
  let next = 0;
  const lane = async () => {
    for (let n = next++; n < BURST; n = next++) await publish(`${run}-${n}`, n % USERS);
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
  const ended = Math.max(...(await Promise.all(arrivals)));
  return (BURST * 1_000) / (ended - startedAt);
}

async function alone(edge: Edge, publish: Publish, run: string, count = ALONE): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const arrived = edge.arrival(`${run}-${n}`);
    const startedAt = performance.now();
    await publish(`${run}-${n}`, (n * 7) % USERS);
    latencies.push((await arrived) - startedAt);
  }
  return latencies;
}

const rank = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] as number;
const round = (value: number) => (value >= 100 ? Math.round(value) : Math.round(value * 1_000) / 1_000);
const print = (name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}) => {
  const middle = round(rank(values, 0.5));
  const spread = { min: round(Math.min(...values)), max: round(Math.max(...values)), runs: values.length };
  process.stdout.write(`${JSON.stringify({ name, value: middle, unit, median: middle, ...spread, ...rest })}\n`);
};

const edge = new Edge();
await edge.start();
await measureBullMq();
await measurePush();
await edge.stop();
process.exit(0);

async function measureBullMq(): Promise<void> {
  const postgres = await startTestPostgres({ fsync: true });
  const connectionString = postgres.url();
  const listener = new pg.Client({ connectionString });
  await listener.connect();
  await listener.query(`
    CREATE TABLE follows (scope_ref text, user_id text, PRIMARY KEY (scope_ref, user_id));
    CREATE TABLE seen (user_id text, event_id text, PRIMARY KEY (user_id, event_id));
    CREATE TABLE head (user_id text PRIMARY KEY, head int NOT NULL);
    CREATE TABLE item (user_id text, place int, title text, events json, PRIMARY KEY (user_id, place));
    CREATE TABLE decided (id bigserial PRIMARY KEY, user_id text, event_id text, verdict text, trace jsonb, at timestamptz DEFAULT now());
    INSERT INTO follows SELECT 'case-' || n, 'user-' || n FROM generate_series(0, ${USERS - 1}) n;
    LISTEN hints`);
  listener.on('notification', ({ payload }) => {
    const { user, ...item } = JSON.parse(payload as string);
    edge.send(user, item);
  });
  const { Queue } = withBackend(createPostgresBackend);
  const queue = new Queue('events', { connection: { connectionString, migrate: true } });
  await queue.waitUntilReady();
  const worker = fork(path.join(folder, 'bench/support/bullmq-worker.mjs'), { env: { ...process.env, DATABASE_URL: connectionString } });
  await ready(worker);
  const publish: Publish = (id, user) => queue.add('event', eventOf(id, user), { jobId: id, removeOnComplete: true });
  await burst(edge, publish, 'bull-warm');
  const rates: number[] = [];
  const latencies: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    rates.push(await burst(edge, publish, `bull-${run}`));
    latencies.push(rank(await alone(edge, publish, `bull-alone-${run}`), 0.5));
  }
  print('BullMQ on Postgres: event to socket, burst', 'events/s', rates);
  print('BullMQ on Postgres: event to socket, alone, p50', 'ms', latencies);
  await queue.close();
  worker.disconnect();
  await new Promise((resolve) => worker.once('exit', resolve));
  await listener.end();
  await postgres.stop();
}

async function measurePush(): Promise<void> {
  const [nats, postgres] = await Promise.all([startTestNats(), startTestPostgres({ fsync: true })]);
  await migrate({ url: postgres.url(), schema: 'push', directory: path.join(folder, 'prisma/migrations') });
  const bus = await connectBus({ service: 'gateway', servers: nats.url, allowAnonymous: true });
  await applyStreams(bus, { maxBytesCap: 256 * 1024 * 1024 });
  await (await bus.kv(BUCKETS.config)).put('_', { tenants: { acme: {}, flood: {} } });
  const database = createPool({ url: postgres.url(), schema: 'push', applicationName: 'bench', max: 1 });
  for (const tenant of ['acme', 'flood']) {
    await database.query(
      `follow_${tenant}`,
      `INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, min_severity, type_patterns, level)
       SELECT '${tenant}', 'sub_' || n, 'user-' || n, 'case', 'case-' || n, 'low', '{}', 'all' FROM generate_series(0, ${USERS - 1}) n`,
    );
  }
  const push = startProcess({ NATS_URL: nats.url, DATABASE_URL: postgres.url() });
  await ready(push);
  bus.listenLive(pushContracts.inboxItemHint, { tenant: 'acme' }, ({ item }, { key }) => edge.send(key[0] as string, item));
  const publish = publisher(bus);
  await burst(edge, publish, 'push-warm');
  const rates: number[] = [];
  const latencies: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    rates.push(await burst(edge, publish, `push-${run}`));
    latencies.push(rank(await alone(edge, publish, `push-alone-${run}`), 0.5));
  }
  print('push: event to socket, burst', 'events/s', rates, { ratioTo: 'BullMQ on Postgres: event to socket, burst', goal: '>= 3' });
  print('push: event to socket, alone, p50', 'ms', latencies, { ratioTo: 'BullMQ on Postgres: event to socket, alone, p50', goal: '<= 0.65' });
  await neighbours(publish);
  await idle(push);
  push.disconnect();
  await new Promise((resolve) => push.once('exit', resolve));
  await Promise.all([database.close(), bus.close()]);
  await Promise.all([nats.stop(), postgres.stop()]);
}

/** One critical event every 20 ms, and with it ten events of another tenant. */
async function neighbours(publish: Publish): Promise<void> {
  const paced = async (run: string, flood: number) => {
    const latencies: Promise<number>[] = [];
    for (let n = 0; n < 300; n += 1) {
      const arrived = edge.arrival(`${run}-${n}`);
      const startedAt = performance.now();
      for (let other = 0; other < flood; other += 1) void publish(`${run}-${n}-${other}`, (n * 10 + other) % USERS, 'flood').catch(() => {});
      await publish(`${run}-${n}`, (n * 7) % USERS, 'acme', 'critical');
      latencies.push(arrived.then((at) => at - startedAt));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, 20 - (performance.now() - startedAt))));
    }
    return rank(await Promise.all(latencies), 0.99);
  };
  const calm: number[] = [];
  const flooded: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    calm.push(await paced(`calm-${run}`, 0));
    flooded.push(await paced(`flood-${run}`, 10));
  }
  print('push: critical event to socket, p99', 'ms', calm);
  print('push: the same while another tenant floods 10 times as much', 'ms', flooded, { ratioTo: 'push: critical event to socket, p99', goal: '<= 1.5' });
}

/** What a replica with all partitions costs when nothing happens. */
async function idle(push: ChildProcess): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = processor(push.pid as number);
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  print('push: processor at rest, 64 partitions', 'ms per s', [(processor(push.pid as number) - before) / 15]);
  print('push: resident memory after all of this', 'MiB', [Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${push.pid}/status`, 'utf8'))?.[1]) / 1_024]);
}

/** Milliseconds of processor time so far. */
function processor(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function publisher(bus: Bus): Publish {
  return (id, user, tenant = 'acme', severity = 'medium') => {
    const event = { specversion: '1.0', source: '/bench', type: 'bench.happened', severity, ...eventOf(id, user) };
    return bus.publishRaw(`plexus.in.${tenant}.bench.happened.v1.case-${user}`, Buffer.from(JSON.stringify(event)), { msgId: id });
  };
}

function eventOf(id: string, user: number) {
  return { id, data: { caseId: `case-${user}`, summary: `Something happened to case ${user}`, text: 'x'.repeat(200) } };
}

function startProcess(env: Record<string, string>): ChildProcess {
  // As the images run it, and as the other side's worker runs; EMBEDDED=1: with the small heap of `npm start`.
  const heap = process.env.EMBEDDED === '1' ? ['--max-semi-space-size=2', '--max-old-space-size=256'] : [];
  return spawn(process.execPath, [...heap, '--import', '@plexus/telemetry/register', 'dist/src/main.js'], {
    cwd: folder,
    env: { ...process.env, OTEL_SERVICE_NAME: 'push', LOG_LEVEL: 'error', PLEXUS_PARENT_BOUND: '1', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('message', (message) => (message as { type?: string }).type === 'ready' && resolve());
    child.once('exit', (code) => reject(new Error(`a process ended with ${code} before it was ready`)));
  });
}
