import { createConnection, type Socket } from 'node:net';
import { waitFor } from '@plexus/testing';
import { GatewayProcess } from './support/gateway-process.js';
import { laterBy } from './support/later-by.js';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { SchedulerStandIn } from './support/scheduler-stand-in.js';
import { TestMesh } from './support/test-mesh.js';
import { TestVm } from './support/test-vm.js';

describe('connections', () => {
  let mesh: TestMesh;
  let routing: RoutingStandIn;
  let scheduler: SchedulerStandIn;
  const processes: GatewayProcess[] = [];
  const clients: { close(): void }[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus, schedulerBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push'), mesh.standIn('scheduler')]);
    routing = new RoutingStandIn(routingBus);
    scheduler = new SchedulerStandIn(schedulerBus);
    new PushStandIn(pushBus);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(processes.splice(0).map((one) => one.end()));
  });
  afterAll(() => mesh?.stop());

  async function spawn(settings: Record<string, string> = {}) {
    const gateway = GatewayProcess.spawn({
      ...mesh.env('gateway'),
      LOG_LEVEL: 'warn',
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN_FILE: mesh.state.paths.token,
      ...settings,
    });
    processes.push(gateway);
    return { gateway, ...(await gateway.ready()) };
  }
  async function connect(ws: string, token = mesh.token, connect: Record<string, unknown> = {}): Promise<RawClient> {
    const client = await RawClient.connect(ws, token, connect);
    clients.push(client);
    return client;
  }

  async function connectVm(vmId: string, ws: string) {
    scheduler.create(vmId);
    const vm = await new TestVm(vmId).connect(ws);
    clients.push(vm);
    return vm;
  }

  it('sends ticks and pings, and drops a peer that answers no ping', async () => {
    const { ws, stop } = await mesh.gateway({ GATEWAY_TICK_MS: '100', GATEWAY_PING_MS: '1000' });
    const alive = await connect(ws);
    const dead = await connect(ws);
    // A peer behind a cut wire: the socket stays open here, and nothing of it is read or answered any more.
    (dead.socket as unknown as { _socket: Socket })._socket.pause();
    await waitFor(async () => (await alive.request('system-presence')).payload.length === 1, { what: 'the dead peer to be dropped' });
    await alive.event('tick');
    expect(alive.events('tick')[0]?.payload.ts).toEqual(expect.any(Number));
    expect(alive.closed).toBeUndefined();
    await stop();
  });

  it('closes a connection some time after its token has expired', async () => {
    const { ws, stop } = await mesh.gateway({ GATEWAY_TICK_MS: '100', GATEWAY_EXPIRY_GRACE_MS: '500' });
    const client = await connect(ws, await mesh.jwt({ sub: 'ann' }, 600));
    const longer = await connect(ws, await mesh.jwt({ sub: 'bob' }, 1_200));
    await laterBy(601_000, async () => expect(await client.end()).toEqual({ code: 1008, reason: 'the token has expired' }));
    expect((await longer.request('health')).ok).toBe(true);
    await stop();
  });

  it('closes a consumer that is too slow with 1008, without holding up the others', async () => {
    const { ws, stop } = await mesh.gateway({ GATEWAY_MAX_BUFFERED_BYTES: '524288' });
    const [slow, fast] = [await connect(ws), await connect(ws)];
    (slow.socket as unknown as { _socket: Socket })._socket.pause();
    const to = routing.ensure({ tenant: 'default', user: 'me' }, 'agent:main:flood');
    const chunks = 400;
    // One after another, so that whoever reads keeps up.
    for (let index = 0; index < chunks; index += 1)
      await routing.publish(to, { event: { type: 'message', text: `${index} ${'x'.repeat(30_000)}`, messageId: `m${index}` } });
    await waitFor(() => fast.events('chat').length === chunks, { what: 'every event on the fast socket' });
    (slow.socket as unknown as { _socket: Socket })._socket.resume();
    // Its close frame stands behind what it did not read; when that takes too long the socket is destroyed.
    expect([1006, 1008]).toContain((await slow.end()).code);
    expect(slow.events('chat').length).toBeLessThan(chunks);
    expect((await fast.request('health')).ok).toBe(true);
    await stop();
  });

  it('tells everybody that it goes, closes with 1012 and ends with 0', async () => {
    const { gateway, ws, http } = await spawn({ GATEWAY_SHUTDOWN_SPREAD_MS: '200' });
    const client = await connect(ws);
    const vm = await connectVm('vm-down', ws);
    const stream = await fetch(`${http}/v1/sessions/main/stream`, { headers: { authorization: `Bearer ${mesh.token}` } });
    const waiting = await RawClient.open(ws);
    clients.push(waiting);
    gateway.kill('SIGTERM');
    expect((await client.event('shutdown')).payload).toEqual({ reason: 'gateway stopping', restartExpectedMs: 5_000, spreadMs: 200 });
    expect(await client.end()).toEqual({ code: 1012, reason: 'service restart' });
    expect(await vm.end()).toMatchObject({ code: 1012 });
    expect(await waiting.end()).toMatchObject({ code: 1012 });
    await stream.text();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
  }, 180_000);

  it('closes over the window, the oldest first: until its turn a connection works as ever, and nobody new is let in', async () => {
    const { gateway, ws } = await spawn({ GATEWAY_SHUTDOWN_SPREAD_MS: '60000', SHUTDOWN_TIMEOUT_MS: '200000' });
    const [oldest, newest] = [await connect(ws), await connect(ws)];
    const [oldestVm, newestVm] = [await connectVm('vm-oldest', ws), await connectVm('vm-newest', ws)];
    gateway.kill('SIGTERM');
    expect(await oldest.end()).toEqual({ code: 1012, reason: 'service restart' });
    expect(await oldestVm.end()).toMatchObject({ code: 1012 });
    newestVm.send({ type: 'heartbeat', active_sessions: [] });
    await newestVm.frame('heartbeat_ack');
    expect((await newest.event('shutdown')).payload).toMatchObject({ spreadMs: 60_000 });
    expect((await newest.request('status')).ok).toBe(true);
    expect((await RawClient.open(ws)).refused).toMatchObject({ status: 503 });
    await gateway.end();
  }, 180_000);

  it('ends in time although a client has stopped reading', async () => {
    const { gateway, ws } = await spawn({ SHUTDOWN_TIMEOUT_MS: '1000' });
    const client = await connect(ws);
    (client.socket as unknown as { _socket: Socket })._socket.pause();
    gateway.kill('SIGTERM');
    expect((await gateway.exited).signal).toBeNull();
  }, 180_000);

  it('says what is wrong with its settings, and with the token in production', async () => {
    const bad = GatewayProcess.spawn({ ...mesh.env('gateway'), GATEWAY_PORT: 'many', GATEWAY_TICK_MS: '1' });
    const weak = GatewayProcess.spawn({ ...mesh.env('gateway'), LOG_LEVEL: 'warn', NODE_ENV: 'production', GATEWAY_PORT: '0', GATEWAY_TOKEN: 'changeme' });
    expect((await bad.exited).code).toBe(78);
    expect(bad.output).toContain('GATEWAY_PORT');
    expect(bad.output).toContain('GATEWAY_TICK_MS');
    expect((await weak.exited).code).toBe(78);
    expect(weak.output).toContain('GATEWAY_TOKEN');
    expect(weak.output).not.toContain('changeme');
  }, 180_000);

  it('says that its port is taken and what to do, and ends', async () => {
    const { ws, stop } = await mesh.gateway();
    const { port } = new URL(ws);
    const second = GatewayProcess.spawn({ ...mesh.env('gateway'), LOG_LEVEL: 'warn', GATEWAY_PORT: port, GATEWAY_TOKEN_FILE: mesh.state.paths.token });
    processes.push(second);
    expect((await second.exited).code).not.toBe(0);
    expect(second.output).toContain('PORT_TAKEN');
    expect(second.output).toContain(`set GATEWAY_PORT to a free port`);
    await stop();
  }, 180_000);

  it('tells its clients when it cannot do its work any more, and when it can again', async () => {
    const { ws, stop } = await mesh.gateway({ GATEWAY_TICK_MS: '100' });
    const client = await connect(ws);
    await mesh.nats.kill();
    expect((await client.event('health', ({ ok }) => ok === false)).payload).toMatchObject({
      failing: ['nats'],
      defaultAgentId: 'main',
      ts: expect.any(Number),
    });
    await mesh.nats.restart();
    await client.event('health', ({ ok }) => ok === true);
    expect(client.events('health').map(({ payload }) => payload.ok)).toEqual([false, true]);
    expect(client.violations).toEqual([]);
    await waitFor(() => mesh.operator.isConnected(), { what: 'the reconnect of the others' });
    await stop();
  });

  it('lives on when bytes come that are no HTTP, and when sockets are torn in the handshake', async () => {
    const { ws, http, stop } = await mesh.gateway();
    const port = Number(new URL(http).port);
    for (const bytes of [
      '\x16\x03\x01\x00\x05hello',
      'GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n',
      'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n',
      'GET ws://%zz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ]) {
      const socket = createConnection(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('connect', resolve));
      socket.write(bytes);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    expect((await (await connect(ws)).request('health')).ok).toBe(true);
    await stop();
  });
});
