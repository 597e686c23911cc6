import type { Bucket } from '@plexus/bus';
import { BUCKETS, defineRpc } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { z } from 'zod';
import { SpawnedService } from './support/spawn-service.js';
import { publishTestIssuer } from './support/test-issuer.js';
import { startMesh, type TestMesh } from './support/test-mesh.js';

const PATIENCE = { timeoutMs: 60_000 };

interface Report {
  readonly instanceId: string;
  readonly ready: boolean;
  readonly restart: string;
  readonly degraded: readonly { readonly module: string; readonly reason: string }[];
  readonly tenants: Record<string, { progress: { appliedRevision: number; pendingRestart: string[]; failed: { owner: string }[] } }>;
}

const hold = defineRpc({
  domain: 'gateway',
  name: 'hold',
  version: 1,
  data: z.object({}),
  response: z.object({ done: z.boolean() }),
  summary: 'For tests.',
  examples: [],
});

const get = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

describe('a service whose configuration changes', () => {
  let mesh: TestMesh;
  let bucket: Bucket;
  const services: SpawnedService[] = [];
  const spawn = (env: Record<string, string> = {}): SpawnedService => {
    const service = SpawnedService.spawn({ NATS_URL: mesh.nats.url, LOG_LEVEL: 'info', ...env });
    services.push(service);
    return service;
  };
  beforeAll(async () => {
    mesh = await startMesh();
    bucket = await mesh.admin.kv(BUCKETS.config);
  });
  beforeEach(() => bucket.put('acme', {}));
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.end()));
  });
  afterAll(() => mesh.stop());

  it('applies what is hot, tells it on its internal listener and in the bucket, and reads everything again at SIGUSR1', async () => {
    const service = spawn();
    const url = await service.ready();
    const revision = await bucket.put('acme', { hooks: { enabled: true } });
    const report = () => get<Report>(`${url}/config`);
    await waitFor(async () => (await report()).tenants.acme?.progress.appliedRevision === revision, { ...PATIENCE, what: 'the revision to be applied' });
    const line = await waitFor(() => service.lines.find((candidate) => candidate.message === 'hooks applied' && candidate.revision === revision), PATIENCE);
    expect(line).toMatchObject({ paths: ['hooks.enabled'] });
    const status = await mesh.admin.kv(BUCKETS.configStatus);
    const own = await report();
    await waitFor(async () => (await status.get(`probe.${own.instanceId}`))?.json<Report>().tenants.acme?.progress.appliedRevision === revision, PATIENCE);
    const before = service.lines.filter(({ message }) => message === 'hooks applied').length;
    service.process.kill('SIGUSR1');
    await waitFor(() => service.lines.filter(({ message }) => message === 'hooks applied').length > before, { ...PATIENCE, what: 'the full reload' });
    service.process.kill('SIGTERM');
    expect((await service.exited).code).toBe(0);
    expect(await status.get(`probe.${own.instanceId}`)).toBeUndefined();
  }, 180_000);

  it('runs on with a part that cannot take its configuration, ready and visibly degraded; a part that is left out is not asked', async () => {
    await bucket.put('acme', { hooks: { enabled: true } });
    const failing = spawn({ PROBE_FAIL: 'hooks' });
    const url = await failing.ready();
    expect(await get(`${url}/readyz`)).toMatchObject({ ready: true, degraded: [{ module: 'hooks', reason: expect.stringContaining('cannot be changed') }] });
    await waitFor(() => failing.lines.filter(({ message }) => message === 'hooks applied').length > 1, { ...PATIENCE, what: 'another attempt' });
    expect((await get<Report>(`${url}/config`)).tenants.acme?.progress.failed).toMatchObject([{ owner: 'hooks' }]);
    const without = spawn({ PROBE_FAIL: 'hooks', PLEXUS_SKIP_MODULES: 'cron, hooks' });
    expect(await get(`${await without.ready()}/readyz`)).toMatchObject({
      ready: true,
      degraded: [{ module: 'hooks', reason: expect.stringContaining('PLEXUS_SKIP_MODULES') }],
    });
    expect(without.messageOf('hooks applied')).toBeUndefined();
  }, 180_000);

  it('restarts one replica after another, never both at once, each with exit code 75', async () => {
    const lives: SpawnedService[] = [];
    const codes: (number | null)[] = [];
    let ready = 0;
    const keep = async (): Promise<void> => {
      const service = spawn({ PROBE_NAME: 'gateway' });
      lives.push(service);
      await service.ready();
      ready += 1;
      void service.exited.then(({ code }) => {
        codes.push(code);
        if (code === 75) void keep();
      });
    };
    await Promise.all([keep(), keep()]);
    await bucket.put('acme', { plugins: { load: { paths: ['/opt/plugins'] } } });
    await waitFor(() => ready === 4, { timeoutMs: 120_000, what: 'both replicas to be ready again' });
    expect(codes).toEqual([75, 75]);
    // By their own clocks: this process hears of an end and of a beginning in any order.
    const at = (service: SpawnedService, message: string): number => Date.parse(String(service.lines.find((line) => line.message === message)?.time));
    for (const leaving of lives.slice(0, 2)) {
      const leftAt = at(leaving, 'shutting down');
      const remaining = lives.filter((other) => other !== leaving && at(other, 'ready') <= leftAt && !(at(other, 'shutting down') <= leftAt));
      expect(remaining.length).toBeGreaterThan(0);
    }
    // What they started with is what is wanted: nobody asks for another restart.
    const lease = await mesh.admin.kv(BUCKETS.leases);
    for (const service of services.filter(({ process }) => process.exitCode === null)) {
      expect((await get<Report>(`${await service.ready()}/config`)).restart).toBe('none');
    }
    await lease.delete('restart.gateway');
  }, 180_000);

  it('starts with the last valid version of a document, as those that run already do', async () => {
    const valid = await bucket.put('acme', { hooks: { enabled: true } });
    const invalid = await bucket.put('acme', { agent: {} });
    const service = spawn();
    const { progress } = (await get<Report>(`${await service.ready()}/config`)).tenants.acme ?? {};
    expect(progress).toMatchObject({ appliedRevision: valid, rejected: { revision: invalid } });
    await waitFor(() => service.messageOf('hooks applied'), { ...PATIENCE, what: 'the hooks' });
    expect(service.lines.filter(({ message }) => message === 'hooks applied')).toMatchObject([{ revision: valid }]);
  }, 180_000);

  it('waits with a restart until nothing is interrupted', async () => {
    const service = spawn({ PROBE_NAME: 'gateway' });
    const url = await service.ready();
    const issuer = await publishTestIssuer(mesh, 'tester');
    const token = await issuer.token({ tenant: 'acme', role: 'service', scopes: [], cid: 'spec' });
    const answer = mesh.admin.call(hold, 'acme', {}, { token, timeoutMs: 110_000 });
    await waitFor(() => service.messageOf('holding'), { ...PATIENCE, what: 'the call to be under way' });
    await bucket.put('acme', { plugins: { load: { paths: ['/opt/others'] } } });
    await waitFor(async () => (await get<Report>(`${url}/config`)).restart === 'draining', { ...PATIENCE, what: 'the restart to wait for the call' });
    service.process.send({ release: true });
    await expect(answer).resolves.toEqual({ done: true });
    expect((await service.exited).code).toBe(75);
  }, 180_000);
});
