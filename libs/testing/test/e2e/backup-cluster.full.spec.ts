import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AckPolicy, jetstream, type JetStreamManager, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { headers } from '@nats-io/transport-node';
import { applyStreams, type Bus } from '@plexus/bus';
import { connectTestBus, startTestPostgres, type TestPostgres, type ThrowAwayFolder, throwAwayFolder, waitFor } from '../../src/index.js';
import { repositoryRoot } from '../../src/repository-root.js';
import { SecuredNats } from '../security/secured-nats.js';
import { noOpenssl } from '../security/throw-away-ca.js';

const reason = noOpenssl();
const suite = reason === undefined ? describe : describe.skip;
const PATIENCE_MS = 180_000;
/** Of an object store, as the clients of NATS make it: chunks, and a last word about them. */
const OBJECTS = 'OBJ_PLEXUS_TEST';
const CHUNKS = ['first ', 'second ', 'third'];

suite(`backups of a NATS cluster of three${reason === undefined ? '' : ` (${reason})`}`, () => {
  let folder: ThrowAwayFolder;
  let source: SecuredNats;
  let saved: string;
  const clusters: SecuredNats[] = [];
  const databases: TestPostgres[] = [];
  const buses: Bus[] = [];

  beforeAll(async () => {
    folder = throwAwayFolder('backup-cluster');
    saved = path.join(folder.path, 'saved');
    source = await cluster(3);
    const operator = await connect(source);
    await declare(operator);
    await fill(operator);
    const url = (await database()).url();
    expect(await plexus({ DATABASE_URL: url, MEMORY_DATABASE_URL: url }, 'db', 'migrate')).toMatchObject({ code: 0 });
    expect(await plexus(placeOf(source, url), 'backup', 'create', saved)).toMatchObject({ code: 0 });
  }, 600_000);
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await Promise.all(clusters.map((one) => one.stop()));
    await Promise.all(databases.map((one) => one.stop()));
    folder.remove();
  }, 120_000);

  async function cluster(servers: number): Promise<SecuredNats> {
    const nats = await SecuredNats.start({ servers });
    clusters.push(nats);
    return nats;
  }
  async function database(): Promise<TestPostgres> {
    const postgres = await startTestPostgres();
    databases.push(postgres);
    return postgres;
  }
  async function connect(nats: SecuredNats): Promise<Bus> {
    const credentials = { nkeySeed: readFileSync(nats.seedFile('operator'), 'utf8').trim() };
    const bus = await connectTestBus(nats.url, { credentials, tls: { caFile: nats.ca.certFile } });
    buses.push(bus);
    return bus;
  }
  const placeOf = (nats: SecuredNats, url: string): Record<string, string> => ({
    ...{ NATS_URL: nats.url, NATS_CA_FILE: nats.ca.certFile, NATS_NKEY_SEED_FILE: nats.seedFile('operator') },
    ...{ DATABASE_URL: url, MEMORY_DATABASE_URL: url },
  });

  /** The command as a process of its own, with nothing but these variables. */
  function plexus(settings: Readonly<Record<string, string>>, ...args: string[]): Promise<{ code: number; out: string }> {
    const env = { PATH: process.env.PATH, HOME: folder.path, PLEXUS_STATE_DIR: path.join(folder.path, 'none'), ...settings };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [path.join(repositoryRoot(), 'libs/cli/bin/plexus.mjs'), '--json', ...args],
        { env, timeout: 300_000, maxBuffer: 16 * 1024 * 1024 },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: error === null ? stdout : `${stdout}${stderr}` }),
      );
    });
  }

  /** Leaders are elected while this asks: it asks until they are. */
  async function declare(bus: Bus): Promise<void> {
    const applied = async (): Promise<boolean> =>
      (await applyStreams(bus, { maxBytesCap: 4 * 1024 * 1024, replicas: 3 })).every(({ action }) => action !== 'conflict');
    await waitFor(applied, { timeoutMs: PATIENCE_MS, intervalMs: 1_000, what: 'streams in the cluster' });
    const manager = await jetstreamManager(bus.connection, { timeout: 20_000 });
    const config = { name: OBJECTS, subjects: ['$O.PLEXUS_TEST.C.>', '$O.PLEXUS_TEST.M.>'], num_replicas: 3, allow_rollup_hdrs: true, allow_direct: true };
    await waitFor(() => manager.streams.add(config), { timeoutMs: PATIENCE_MS, intervalMs: 1_000, what: 'an object store' });
  }

  /** Events of which a consumer has done two, an entry of a bucket with a history, and an object. */
  async function fill({ connection }: Bus): Promise<void> {
    const js = jetstream(connection, { timeout: 20_000 });
    const sure = (subject: string, data: string, msgId: string, rollup?: string): Promise<unknown> => {
      const about = headers();
      if (rollup !== undefined) about.set('Nats-Rollup', rollup);
      const store = (): Promise<unknown> => js.publish(subject, data, { msgID: msgId, headers: about });
      return waitFor(store, { timeoutMs: PATIENCE_MS, intervalMs: 500, what: `the receipt of ${msgId}` });
    };
    for (let n = 1; n <= 5; n += 1) await sure(`plexus.in.acme.crm.changed.v1.k${n}`, `event ${n}`, `e${n}`);
    const push = await js.consumers.get('PLEXUS_IN', 'push-in');
    for (let done = 0; done < 2; done += 1) {
      const message = await waitFor(() => push.next({ expires: 5_000 }), { timeoutMs: PATIENCE_MS, what: 'a message of push-in' });
      expect(await message.ackAck({ timeout: 20_000 })).toBe(true);
    }
    const bucket = await new Kvm(js).open('PLEXUS_CONFIG');
    await bucket.put('acme', 'the first');
    await bucket.put('acme', 'the second');
    for (const [n, chunk] of CHUNKS.entries()) await sure('$O.PLEXUS_TEST.C.n1', chunk, `c${n}`);
    await sure('$O.PLEXUS_TEST.M.bmFtZQ==', JSON.stringify({ name: 'name', chunks: CHUNKS.length }), 'meta', 'sub');
  }

  /** What was there is there again, under the same numbers. */
  async function expectWhole(bus: Bus, replicas: number): Promise<JetStreamManager> {
    const manager = await jetstreamManager(bus.connection, { timeout: 20_000 });
    let streams: StreamInfo[] = [];
    /** Streams whose copies are not all there yet, and what the cluster says of them. */
    let unsettled: unknown[] = [];
    const settled = async (): Promise<boolean> => {
      streams = [];
      for await (const info of manager.streams.list()) streams.push(info);
      const isWhole = ({ cluster: state }: StreamInfo): boolean =>
        replicas === 1 || (state?.leader !== undefined && state.replicas?.length === replicas - 1 && state.replicas.every(({ current }) => current));
      unsettled = streams.filter((info) => !isWhole(info)).map(({ config, cluster: state }) => [config.name, state]);
      return unsettled.length === 0;
    };
    await waitFor(settled, { timeoutMs: PATIENCE_MS, intervalMs: 500, what: 'copies of every stream' }).catch(() => undefined);
    expect(unsettled).toEqual([]);
    const ours = streams.filter(({ config }) => /^(KV_|OBJ_)?PLEXUS_/.test(config.name));
    expect(ours.map(({ config }) => config.num_replicas)).toEqual(ours.map(() => replicas));
    const names = ours.map(({ config }) => config.name);
    expect(names).toEqual(expect.arrayContaining(['PLEXUS_IN', 'PLEXUS_CMD_RUN', 'PLEXUS_DLQ', 'KV_PLEXUS_CONFIG', OBJECTS]));

    for (let seq = 1; seq <= 5; seq += 1) expect((await manager.streams.getMessage('PLEXUS_IN', { seq }))?.string()).toBe(`event ${seq}`);
    const push = await waitFor(() => manager.consumers.info('PLEXUS_IN', 'push-in'), { timeoutMs: PATIENCE_MS, what: 'push-in' });
    expect(push).toMatchObject({ ack_floor: { stream_seq: 2 }, num_pending: 3, config: { ack_policy: AckPolicy.Explicit } });
    const bucket = await new Kvm(bus.connection).open('PLEXUS_CONFIG');
    const history: string[] = [];
    for await (const entry of await bucket.history({ key: 'acme' })) history.push(entry.string());
    expect(history).toEqual(['the first', 'the second']);
    const parts: string[] = [];
    for (let seq = 1; seq <= CHUNKS.length; seq += 1) parts.push((await manager.streams.getMessage(OBJECTS, { seq }))?.string() ?? '');
    expect(parts).toEqual(CHUNKS);
    return manager;
  }

  it('come back in another cluster with three copies of everything, which works on when a server is lost', async () => {
    const target = await cluster(3);
    const url = (await database()).url();
    expect(await plexus(placeOf(target, url), 'backup', 'restore', saved)).toMatchObject({ code: 0 });
    const operator = await connect(target);
    await expectWhole(operator, 3);

    await target.lose(0);
    const js = jetstream(operator.connection, { timeout: 5_000 });
    const next = () => js.publish('plexus.in.acme.crm.changed.v1.k6', 'event 6', { msgID: 'e6' });
    expect(await waitFor(next, { timeoutMs: PATIENCE_MS, intervalMs: 500, what: 'a receipt of two servers' })).toMatchObject({ seq: 6 });
    const push = await waitFor(() => js.consumers.get('PLEXUS_IN', 'push-in'), { timeoutMs: PATIENCE_MS, what: 'push-in' });
    const third = await waitFor(() => push.next({ expires: 5_000 }), { timeoutMs: PATIENCE_MS, what: 'the first event that was not done' });
    expect([third.seq, third.string()]).toEqual([3, 'event 3']);
  }, 900_000);

  it('come back on one server with --replicas 1, and from there in a cluster with --replicas 3', async () => {
    const single = await cluster(1);
    const url = (await database()).url();
    expect(await plexus(placeOf(single, url), 'backup', 'restore', saved, '--replicas', '1')).toMatchObject({ code: 0 });
    await expectWhole(await connect(single), 1);
    const again = path.join(folder.path, 'again');
    expect(await plexus(placeOf(single, url), 'backup', 'create', again)).toMatchObject({ code: 0 });
    const [target, other] = [await cluster(3), (await database()).url()];
    expect(await plexus(placeOf(target, other), 'backup', 'restore', again, '--replicas', '3')).toMatchObject({ code: 0 });
    await expectWhole(await connect(target), 3);
  }, 900_000);
});
