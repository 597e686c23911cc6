import { waitFor } from '@plexus/testing';
import { Balancer } from './support/balancer.js';
import { GatewayProcess } from './support/gateway-process.js';
import { InboxClient } from './support/inbox-client.js';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { TestMesh } from './support/test-mesh.js';

const CLIENTS = 1_000;
/** Two devices each. */
const USERS = CLIENTS / 2;
const MINUTE = 60_000;
const KILL_EVERY_MS = 5_000;
const PATIENT = { timeoutMs: 240_000 };

describe('a thousand clients', () => {
  let mesh: TestMesh;
  let push: PushStandIn;
  let balancer: Balancer;
  let clients: InboxClient[] = [];
  const gateways: { process: GatewayProcess; port: string }[] = [];

  beforeEach(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    new RoutingStandIn(routingBus);
    push = new PushStandIn(pushBus);
    for (let index = 0; index < 3; index += 1) gateways.push(await spawn());
    balancer = await Balancer.start(gateways.map(({ port }) => `ws://127.0.0.1:${port}`));
  }, 120_000);
  afterEach(async () => {
    for (const client of clients) client.end();
    clients = [];
    await Promise.all(gateways.splice(0).map(({ process }) => process.end()));
    await balancer?.stop();
    await mesh?.stop();
  });

  async function spawn(): Promise<{ process: GatewayProcess; port: string }> {
    const process = GatewayProcess.spawn({
      ...mesh.env('gateway'),
      LOG_LEVEL: 'error',
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN_FILE: mesh.state.paths.token,
      GATEWAY_MAX_UNAUTHENTICATED: '2000',
      GATEWAY_SHUTDOWN_SPREAD_MS: '5000',
      SHUTDOWN_TIMEOUT_MS: '10000',
    });
    const { ws } = await process.ready();
    return { process, port: new URL(ws).port };
  }
  const user = (index: number) => `user${index % USERS}`;
  async function connectAll(): Promise<void> {
    const tokens = await Promise.all(Array.from({ length: USERS }, (_, index) => mesh.jwt({ sub: user(index) }, 3_600)));
    for (let index = 0; index < CLIENTS; index += 1) {
      clients.push(new InboxClient(balancer.ws, tokens[index % USERS] as string, push.epoch));
      if (index % 50 === 49) await waitFor(() => clients.every(({ connected }) => connected), { what: `${index + 1} clients`, ...PATIENT });
    }
  }
  /** Every client has every item of its user, each once and in order. */
  async function complete(delivered: readonly number[]): Promise<void> {
    const behind = () => clients.filter(({ offsets }, index) => offsets.at(-1) !== delivered[index % USERS] && (delivered[index % USERS] ?? 0) > 0);
    await waitFor(() => behind().length === 0, { what: 'every item at every client', ...PATIENT }).catch((error: unknown) => {
      const state = behind().map(({ connected, offsets, closes, wrong }) => ({ connected, last: offsets.at(-1), close: closes.at(-1), wrong }));
      throw new Error(`${state.length} clients are behind: ${JSON.stringify(state.slice(0, 5))}`, { cause: error });
    });
    for (const [index, { offsets, wrong }] of clients.entries()) {
      expect(wrong).toEqual([]);
      expect(offsets).toEqual(Array.from({ length: delivered[index % USERS] ?? 0 }, (_, at) => at + 1));
    }
  }

  it('G7: see every inbox item exactly once and in order, with random cuts, slow readers and a gateway killed every 5 s for a minute; presence is right in the end', async () => {
    await connectAll();
    const delivered = Array.from({ length: USERS }, () => 0);
    let killed = 0;
    let restarting: Promise<void> | undefined;
    const kill = async (): Promise<void> => {
      const victim = gateways[killed++ % gateways.length] as { process: GatewayProcess; port: string };
      victim.process.kill('SIGKILL');
      await victim.process.exited;
      const { process: successor, port } = await spawn();
      balancer.ports = balancer.ports.map((one) => (one === Number(victim.port) ? Number(port) : one));
      Object.assign(victim, { process: successor, port });
    };
    const startedAt = performance.now();
    let killAt = startedAt + KILL_EVERY_MS;
    while (performance.now() - startedAt < MINUTE) {
      for (let count = 0; count < 25; count += 1) {
        const index = Math.floor(Math.random() * USERS);
        // Every tenth hint is lost.
        push.deliver('default', user(index), { hint: Math.random() > 0.1 });
        delivered[index] = (delivered[index] ?? 0) + 1;
      }
      const pick = () => clients[Math.floor(Math.random() * CLIENTS)];
      pick()?.cut();
      pick()?.stall(true);
      pick()?.stall(true);
      for (let count = 0; count < 3; count += 1) pick()?.stall(false);
      if (performance.now() >= killAt && restarting === undefined) {
        killAt += KILL_EVERY_MS;
        restarting = kill().finally(() => {
          restarting = undefined;
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await restarting;
    for (const client of clients) client.stall(false);
    await complete(delivered);
    expect(killed).toBeGreaterThanOrEqual(5);
    const admin = await RawClient.connect(balancer.ws, mesh.token);
    const seen = async () => ((await admin.request('system-presence')).payload as { user: string }[]).filter(({ user: one }) => one === 'user7').length;
    await waitFor(async () => (await seen()) === 2, { what: 'the two devices of one user, no more and no less', ...PATIENT });
    admin.close();
    process.stdout.write(
      `chaos: ${killed} kills, ${delivered.reduce((sum, one) => sum + one, 0)} items, ${clients.reduce((sum, { closes }) => sum + closes.length, 0)} lost connections\n`,
    );
  }, 900_000);

  it('G8: lose nothing when a gateway is asked to go: everybody is told, closed with 1012 and back elsewhere, spread over the window', async () => {
    await connectAll();
    const delivered = Array.from({ length: USERS }, () => 0);
    const leaving = gateways[0] as { process: GatewayProcess; port: string };
    balancer.ports = balancer.ports.filter((port) => String(port) !== leaving.port);
    leaving.process.kill('SIGTERM');
    const closing = (async () => {
      for (let index = 0; index < 4 * USERS; index += 1) {
        push.deliver('default', user(index));
        delivered[index % USERS] = (delivered[index % USERS] ?? 0) + 1;
        if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    expect(await leaving.process.exited).toEqual({ code: 0, signal: null });
    await closing;
    await complete(delivered);
    const moved = clients.filter(({ shutdowns }) => shutdowns.length > 0);
    expect(moved.length).toBeGreaterThan(CLIENTS / 6);
    for (const { closes, shutdowns } of moved) expect([closes, shutdowns.length]).toEqual([[{ code: 1012, reason: 'service restart' }], 1]);
    await waitFor(() => clients.every(({ connected }) => connected), { what: 'everybody to be back', ...PATIENT });
    const waits = moved.map(({ hellos, shutdowns }) => (hellos.at(-1) as number) - (shutdowns[0]?.at as number)).sort((a, b) => a - b);
    // Spread: the middle half of them takes a good part of the 5 s.
    expect((waits[Math.floor(waits.length * 0.75)] as number) - (waits[Math.floor(waits.length * 0.25)] as number)).toBeGreaterThan(1_000);
  }, 600_000);
});
