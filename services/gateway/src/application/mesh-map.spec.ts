import { MeshMap, type MeshSurvey, type SeenReplica } from './mesh-map.js';

const endpoint = (name: string, requests: number, errors: number, averageMs: number) => ({
  name,
  subject: `plexus.rpc.*.${name}`,
  requests,
  errors,
  averageMs,
});
const replica = (service: string, id: string, more: Partial<SeenReplica> = {}): SeenReplica => ({
  service,
  id,
  instance: `${service}-${id}`,
  version: '0.1.0',
  startedAt: new Date(1_000).toISOString(),
  ready: true,
  failing: [],
  degraded: [],
  vitals: {},
  endpoints: [],
  ...more,
});

class FakeMesh implements MeshSurvey {
  readonly expected = ['memory', 'routing'];
  answering: SeenReplica[] = [];
  connected = true;
  looks = 0;
  failing = false;

  isConnected = () => this.connected;
  replicas = async () => {
    this.looks += 1;
    return this.answering;
  };
  stores = async () => {
    if (this.failing) throw new Error('no leader');
    return { streams: [{ name: 'PLEXUS_IN', summary: '', messages: 1, bytes: 1, firstSeq: 1, lastSeq: 1, consumers: 1 }], buckets: [] };
  };
  consumers = async (streams: readonly string[]) =>
    streams.map((stream) => ({ stream, name: 'push-in', service: 'push', summary: '', pending: 7, ackPending: 1, redelivered: 0, waiting: 1 }));
}

describe('the live map', () => {
  let mesh: FakeMesh;
  let now: number;
  let map: MeshMap;
  beforeEach(() => {
    mesh = new FakeMesh();
    now = 10_000;
    map = new MeshMap(mesh, () => now);
  });

  it('adds up replicas, weighs averages by requests, and says who is missing and how far behind consumers are', async () => {
    mesh.answering = [
      replica('routing', 'b', { version: '0.2.0', endpoints: [endpoint('resolve', 30, 1, 2)] }),
      replica('routing', 'a', { endpoints: [endpoint('resolve', 10, 0, 6), endpoint('idle', 0, 0, 0)], vitals: { rssBytes: 5 } }),
    ];
    expect(await map.view()).toMatchObject({
      nats: { connected: true },
      missing: ['memory'],
      services: [
        {
          name: 'routing',
          versions: ['0.1.0', '0.2.0'],
          ready: true,
          requests: 40,
          errors: 1,
          endpoints: [
            { name: 'idle', averageMs: 0 },
            { name: 'resolve', requests: 40, errors: 1, averageMs: 3 },
          ],
          replicas: [
            { instance: 'routing-a', uptimeMs: 9_000, requests: 10, answers: true, vitals: { rssBytes: 5 } },
            { instance: 'routing-b', requests: 30 },
          ],
        },
      ],
      consumers: [{ stream: 'PLEXUS_IN', name: 'push-in', pending: 7 }],
      problems: [],
    });
  });

  it('is read once for everybody who looks within two seconds, also at the same time', async () => {
    await Promise.all([map.view(), map.view(), map.view()]);
    now += 1_999;
    await map.view();
    expect(mesh.looks).toBe(1);
    now += 1;
    await map.view();
    expect(mesh.looks).toBe(2);
  });

  it('shows a replica that fell silent for a while, does not count it, and forgets it then', async () => {
    mesh.answering = [replica('routing', 'a')];
    await map.view();
    mesh.answering = [];
    now += 5_000;
    expect(await map.view()).toMatchObject({ services: [{ ready: false, replicas: [{ answers: false, lastSeenAt: new Date(10_000).toISOString() }] }] });
    expect((await map.view()).missing).toEqual(['memory', 'routing']);
    now += 15_000;
    expect((await map.view()).services).toEqual([]);
  });

  it('is not ready as soon as one replica is not', async () => {
    mesh.answering = [replica('routing', 'a'), replica('routing', 'b', { ready: false, failing: [{ name: 'database', reason: 'gone' }] })];
    expect((await map.view()).services).toMatchObject([{ ready: false, replicas: [{ ready: true }, { failing: [{ name: 'database', reason: 'gone' }] }] }]);
  });

  it('says what it could not read instead of failing, and asks nobody without a connection', async () => {
    mesh.failing = true;
    mesh.answering = [replica('routing', 'a')];
    expect(await map.view()).toMatchObject({ streams: [], consumers: [], problems: ['streams cannot be read: no leader'], services: [{ name: 'routing' }] });
    mesh.connected = false;
    now += 2_000;
    expect(await map.view()).toMatchObject({
      nats: { connected: false },
      problems: ['the gateway is not connected to NATS'],
      services: [{ replicas: [{ answers: false }] }],
    });
    expect(mesh.looks).toBe(1);
  });
});
