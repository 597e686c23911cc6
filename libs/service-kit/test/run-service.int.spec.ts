import { connectBus } from '@plexus/bus';
import { BUCKETS, defineRpc } from '@plexus/contracts';
import { startTestNats, type TestNats, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { SpawnedService } from './support/spawn-service.js';
import { publishTestIssuer } from './support/test-issuer.js';
import { startMesh, type TestMesh } from './support/test-mesh.js';

const contract = (domain: string, name: string, data: z.ZodObject, response: z.ZodObject) =>
  defineRpc({ domain, name, version: 1, data, response, summary: 'For tests.', examples: [] });
const slow = contract('probe', 'slow', z.object({ ms: z.number() }), z.object({ done: z.boolean() }));
const hold = contract('probe', 'hold', z.object({}), z.object({ done: z.boolean() }));
const relay = contract(
  'gateway',
  'relay',
  z.object({ to: z.string(), tenant: z.string(), principal: z.any() }),
  z.object({ principal: z.any(), by: z.string() }),
);

const json = async (url: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

describe('a service run by runService', () => {
  let mesh: TestMesh;
  const services: SpawnedService[] = [];
  const spawnProbe = (env: Record<string, string> = {}): SpawnedService => {
    const service = SpawnedService.spawn({ NATS_URL: mesh.nats.url, ...env });
    services.push(service);
    return service;
  };
  beforeAll(async () => {
    mesh = await startMesh();
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.end()));
  });
  afterAll(() => mesh.stop());

  it('reports ready over IPC with its address, and answers probes, metrics and info', async () => {
    const service = spawnProbe();
    const url = await service.ready();
    expect(service.messages).toEqual([{ type: 'ready', http: url, extra: { ws: 'ws://127.0.0.1:1' } }]);
    expect(await json(`${url}/livez`)).toEqual({ status: 200, body: { live: true } });
    expect(await json(`${url}/readyz`)).toEqual({
      status: 200,
      body: { ready: true, checks: ['lifecycle', 'nats', 'migrations'].map((name) => ({ name, ok: true })) },
    });
    expect((await json(`${url}/info`)).body).toMatchObject({ name: 'probe', version: '1.2.3', pid: service.process.pid });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('plexus_service_ready 1');
    expect(metrics).toContain('plexus_nats_connected 1');
    expect(Number(/^process_resident_memory_bytes (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(10_000_000);
  });

  it('is not ready, but alive, while a readiness check says so or NATS is gone, and recovers by itself', async () => {
    const other = await startMesh();
    try {
      const service = spawnProbe({ NATS_URL: other.nats.url });
      const url = await service.ready();
      service.process.kill('SIGUSR2');
      await waitFor(async () => (await json(`${url}/readyz`)).status === 503);
      expect((await json(`${url}/readyz`)).body.checks).toContainEqual({ name: 'migrations', ok: false, reason: 'the schema is at 3, expected 4' });
      service.process.kill('SIGUSR2');
      await waitFor(async () => (await json(`${url}/readyz`)).status === 200);

      await other.nats.kill();
      await waitFor(async () => (await json(`${url}/readyz`)).status === 503);
      expect((await json(`${url}/readyz`)).body.checks).toContainEqual({ name: 'nats', ok: false, reason: 'not connected to NATS' });
      expect((await json(`${url}/livez`)).status).toBe(200);
      await other.nats.restart();
      await waitFor(async () => (await json(`${url}/readyz`)).status === 200, { timeoutMs: 60_000 });
    } finally {
      await other.stop();
    }
  });

  it('on SIGTERM goes not ready, keeps serving for the propagation delay, finishes what is in flight, and ends in order with 0', async () => {
    const service = spawnProbe({ PROPAGATION_DELAY_MS: '8000' });
    const url = await service.ready();
    const caller = await connectBus({ service: 'gateway-caller', servers: mesh.nats.url, allowAnonymous: true });
    const token = await tokenOf(mesh);
    const inFlight = caller.call(hold, 'acme', {}, { token, timeoutMs: 120_000 });
    await waitFor(() => service.messageOf('holding'));

    service.process.kill('SIGTERM');
    await waitFor(async () => (await json(`${url}/readyz`)).status === 503);
    // Within the delay it still takes new work.
    await expect(caller.call(slow, 'acme', { ms: 0 }, { token })).resolves.toEqual({ done: true });
    await waitFor(() => service.lines.some(({ message, phase }) => message === 'phase' && phase === 'sockets'));
    service.process.send({ release: true });
    await expect(inFlight).resolves.toEqual({ done: true });
    expect(await service.exited).toEqual({ code: 0, signal: null });
    await caller.close();

    const phases = service.lines.filter((line) => line.message === 'phase').map((line) => [line.phase, line.connected]);
    expect(phases.map(([phase]) => phase)).toEqual(['listeners', 'sockets', 'consumers', 'bus', 'database', 'telemetry']);
    expect(phases.find(([phase]) => phase === 'consumers')).toEqual(['consumers', true]);
    expect(phases.find(([phase]) => phase === 'database')).toEqual(['database', false]);
    expect(service.messageOf('stopped')).toMatchObject({ clean: true });
  });

  it('does not let a part that hangs outlive the hard limit, names it, and still closes the rest', async () => {
    const service = spawnProbe({ PROBE_HANG: 'sockets', SHUTDOWN_TIMEOUT_MS: '20000' });
    await service.ready();
    service.process.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.messageOf('stopped')).toMatchObject({ clean: false, unfinished: ['sockets/probe'] });
    expect(service.lines.filter((line) => line.message === 'phase').at(-1)).toMatchObject({ phase: 'telemetry' });
  });

  it('leaves at once with 1 on a second signal', async () => {
    const service = spawnProbe({ PROBE_HANG: 'listeners', SHUTDOWN_TIMEOUT_MS: '60000' });
    await service.ready();
    service.process.kill('SIGTERM');
    await waitFor(() => service.messageOf('shutting down'));
    service.process.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 1, signal: null });
  });

  it('shuts down in order when the parent it is bound to is killed', async () => {
    const service = SpawnedService.spawn({ NATS_URL: mesh.nats.url, PLEXUS_PARENT_BOUND: '1' }, { parent: true });
    services.push(service);
    await service.ready();
    const pid = service.messages[0]?.pid as number;
    service.process.kill('SIGKILL');
    // The output ends only with the service: it inherited the parent's.
    await service.exited;
    expect(service.messageOf('shutting down')).toMatchObject({ reason: 'the parent process is gone' });
    expect(service.messageOf('stopped')).toMatchObject({ clean: true });
    await waitFor(() => !isAlive(pid));
  });

  it('leaves Ctrl-C, which reaches the whole terminal group, to the parent it is bound to', async () => {
    const service = spawnProbe({ PLEXUS_PARENT_BOUND: '1' });
    const url = await service.ready();
    service.process.kill('SIGINT');
    expect((await json(`${url}/readyz`)).status).toBe(200);
    service.process.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.messageOf('shutting down')).toMatchObject({ reason: 'SIGTERM' });
  });

  it('gives up a start that is under way when told to end', async () => {
    const service = SpawnedService.spawn({ NATS_URL: 'nats://127.0.0.1:9', LOG_LEVEL: 'debug' });
    services.push(service);
    await waitFor(() => service.messageOf('connecting'), { timeoutMs: 60_000 });
    service.process.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  it('ends with 78 and every violation at once when the settings are wrong, without quoting secrets', async () => {
    const service = spawnProbe({ PROBE_PORT: '70000', PROBE_TOKEN: 'hunter2', LOG_LEVEL: 'loud', NATS_URL: 'localhost' });
    expect(await service.exited).toEqual({ code: 78, signal: null });
    expect(service.stderr.trimEnd().split('\n')).toEqual([
      'probe: the configuration is not valid:',
      expect.stringContaining('LOG_LEVEL="loud"'),
      expect.stringContaining('NATS_URL="localhost": must be one or more URLs'),
      '  PROBE_PORT="70000": Too big: expected number to be <=65535 (A port that is never opened)',
      expect.stringContaining('PROBE_TOKEN=[redacted]'),
    ]);
  });

  it('ends with 78 and the file that cannot be read when its credentials are missing', async () => {
    const service = spawnProbe({ NATS_NKEY_SEED_FILE: '/nowhere/seed' });
    expect(await service.exited).toEqual({ code: 78, signal: null });
    expect(service.messageOf('NATS_NKEY_SEED_FILE="/nowhere/seed" cannot be read')).toMatchObject({ level: 'fatal' });
  });

  it('ends with 1 and the reason when the service cannot be created, after closing what was open', async () => {
    const service = spawnProbe({ PROBE_FAIL: 'create' });
    expect(await service.exited).toEqual({ code: 1, signal: null });
    expect(service.messageOf('the probe refuses to be created')).toMatchObject({ level: 'fatal' });
    expect(service.messages).toEqual([]);
  });

  it('survives an unhandled transient rejection, counted and logged, and ends with 1 on any other', async () => {
    const transient = spawnProbe({ PROBE_FAIL: 'transient' });
    const url = await transient.ready();
    expect(await waitFor(() => transient.messageOf('unhandled transient failure'))).toMatchObject({ level: 'warn', error: { code: 'ECONNRESET' } });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('plexus_unhandled_rejections_total{class="transient"} 1');
    const bug = spawnProbe({ PROBE_FAIL: 'bug' });
    expect(await bug.exited).toEqual({ code: 1, signal: null });
    expect(bug.messageOf('unhandled rejection')).toMatchObject({ level: 'error', error: { type: 'TypeError', message: 'x is not a function' } });
  });

  it('never shows a secret in its log', async () => {
    const service = spawnProbe({ PROBE_TOKEN: 'hunter2-hunter2', LOG_LEVEL: 'trace' });
    await service.ready();
    service.process.kill('SIGTERM');
    await service.exited;
    expect(JSON.stringify(service.lines) + service.stderr).not.toMatch(/hunter2|eyJ/);
  });

  it('lets one service act for a user towards another, which sees exactly that principal', async () => {
    const gateway = spawnProbe({ PROBE_NAME: 'gateway' });
    const routing = spawnProbe({ PROBE_NAME: 'routing' });
    await Promise.all([gateway.ready(), routing.ready()]);
    const token = await tokenOf(mesh);
    const principal = { tenant: 'acme', user: 'anna', role: 'user', scopes: ['operator.write'], credentialId: 'c1' };
    const ask = (to: string, tenant: string, who: object) => mesh.admin.call(relay, 'acme', { to, tenant, principal: who }, { token });
    await expect(ask('routing', 'acme', principal)).resolves.toMatchObject({ principal, by: expect.stringMatching(/^routing-/) });
    // One request, one trace: both processes log under the same id.
    const asked = await waitFor(() => routing.messageOf('asked'));
    expect(asked).toMatchObject({ user: 'anna', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(await waitFor(() => gateway.messageOf('relaying'))).toMatchObject({ traceId: asked.traceId });
    await expect(ask('routing', 'other', principal)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    await expect(ask('routing', 'nobody', { ...principal, tenant: 'nobody' })).rejects.toMatchObject({ code: 'UNKNOWN_TENANT' });

    await (await mesh.admin.kv(BUCKETS.revocations)).put('user.acme.anna', { reason: 'left the company' });
    await waitFor(() =>
      ask('routing', 'acme', principal).then(
        () => false,
        (error: { code: string }) => error.code === 'UNAUTHENTICATED',
      ),
    );
    await (await mesh.admin.kv(BUCKETS.revocations)).delete('user.acme.anna');
  });

  it('publishes its key again after a reconnect to a server that has lost it', async () => {
    const routing = spawnProbe({ PROBE_NAME: 'routing' });
    const gateway = spawnProbe({ PROBE_NAME: 'gateway' });
    await Promise.all([gateway.ready(), routing.ready()]);
    const keys = await mesh.admin.kv(BUCKETS.keys);
    const [name] = (await keys.keys('gateway.>')).filter((key) => key.startsWith('gateway.'));
    await keys.delete(name as string);
    await mesh.nats.kill();
    await mesh.nats.restart();
    await waitFor(() => mesh.admin.isConnected(), { timeoutMs: 60_000 });
    await waitFor(async () => (await (await mesh.admin.kv(BUCKETS.keys)).keys('gateway.>')).length > 0, { timeoutMs: 60_000 });
  });
});

describe('a service without its stream plan', () => {
  let nats: TestNats;
  beforeAll(async () => {
    nats = await startTestNats();
  });
  afterAll(() => nats.stop());

  it('ends with 78 and names the command to run', async () => {
    const service = SpawnedService.spawn({ NATS_URL: nats.url });
    expect(await service.exited).toEqual({ code: 78, signal: null });
    const fatal = service.lines.find((line) => line.level === 'fatal');
    expect(fatal?.message).toContain('run `plexus nats apply`');
    expect(JSON.stringify(fatal)).toContain('PLEXUS_EVT_SESSION');
    expect(JSON.stringify(fatal)).toContain('PLEXUS_KEYS');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A token of a service that only exists in this test. */
async function tokenOf(mesh: TestMesh): Promise<string> {
  return (await publishTestIssuer(mesh, 'tester')).token({ tenant: 'acme', role: 'service', scopes: [], cid: 'tester' });
}
