import type { MeshReplica, MeshService, MeshView } from '@plexus/contracts';
import { healthOf, MAP, mapOf } from './mesh-map.js';

const replica = (more: Partial<MeshReplica> = {}): MeshReplica => ({
  id: 'a',
  instance: 'a',
  startedAt: '',
  lastSeenAt: '',
  vitals: {},
  version: '0.1.0',
  uptimeMs: 1,
  ready: true,
  answers: true,
  requests: 0,
  errors: 0,
  failing: [],
  degraded: [],
  ...more,
});
const service = (name: string, replicas: MeshReplica[]): MeshService => ({ name, versions: [], ready: true, requests: 0, errors: 0, replicas, endpoints: [] });
const report = (more: Partial<MeshView> = {}): MeshView => ({
  at: '',
  nats: { connected: true },
  missing: [],
  problems: [],
  services: [service('push', [replica()]), service('gateway', [replica({ vitals: { clients: 3, vms: 1 } })])],
  streams: [],
  consumers: [],
  buckets: [],
  ...more,
});

describe('the map of the mesh', () => {
  it('puts those that people come in through above the bus and the others below, inside the picture', () => {
    const nodes = mapOf(
      report({ services: ['scheduler', 'memory', 'push', 'routing', 'gateway', 'channel-telegram'].map((name) => service(name, [replica()])) }),
    );
    expect(nodes.filter(({ y }) => y < MAP.bus.y).map(({ name }) => name)).toEqual(['gateway', 'channel-telegram']);
    expect(nodes.filter(({ y }) => y > MAP.bus.y).map(({ name }) => name)).toEqual(['routing', 'push', 'memory', 'scheduler']);
    expect(nodes.every(({ x, y }) => x > 80 && x < MAP.width - 80 && y > 30 && y < MAP.height - 30)).toBe(true);
  });

  it('shows a service that nobody answers for as down', () => {
    const missing = report({ missing: ['memory'] });
    expect(mapOf(missing).find(({ name }) => name === 'memory')).toMatchObject({ health: 'bad', ready: 0, replicas: 0 });
    expect(healthOf(missing)).toBe('bad');
  });

  it('asks for attention when a replica is silent or degraded, or too much waits', () => {
    const one = (more: Partial<MeshReplica>) => healthOf(report({ services: [service('push', [replica(), replica(more)])] }));
    expect([one({}), one({ ready: undefined }), one({ answers: false }), one({ degraded: [{ module: 'smtp', reason: 'refused' }] })]).toEqual([
      'ok',
      'ok',
      'warn',
      'warn',
    ]);
    const consumer = { stream: 's', name: 'push-in', service: 'push', summary: '', pending: 5_000, ackPending: 0, redelivered: 0, waiting: 1 };
    expect(healthOf(report({ consumers: [consumer] }))).toBe('warn');
    expect(mapOf(report({ consumers: [consumer] })).find(({ name }) => name === 'push')?.lag).toBe(5_000);
  });

  it('is down without the bus', () => {
    expect(healthOf(report({ nats: { connected: false } }))).toBe('bad');
  });
});
