import type { Socket } from 'node:net';
import { waitFor } from '@plexus/testing';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

const TEXT = 'x'.repeat(60_000);
/** More than the kernel and the live queue of one connection take together. */
const FLOOD = 250;

describe('clients that do not keep up', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let push: PushStandIn;
  let routing: RoutingStandIn;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    routing = new RoutingStandIn(routingBus);
    push = new PushStandIn(pushBus);
    gateway = await mesh.gateway({ GATEWAY_TICK_MS: '300', GATEWAY_MAX_BUFFERED_BYTES: '67108864' });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      expect(client.violations).toEqual([]);
      client.close();
    }
  });
  afterAll(() => mesh?.stop());

  async function connect(user: string, connect: Record<string, unknown> = {}): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, await mesh.jwt({ sub: user }), { scopes: ['operator.write'], ...connect });
    clients.push(client);
    return client;
  }
  const tcp = (client: RawClient): Socket => (client.socket as unknown as { _socket: Socket })._socket;
  const offsets = (client: RawClient) => client.events('inbox.item').map(({ payload }) => payload.offset);
  const delivery = async (): Promise<{ lagged: number; missed: number; slow: number }> => {
    const admin = await RawClient.connect(gateway.ws, mesh.token);
    const { payload } = await admin.request('status');
    admin.close();
    return payload.counters.delivery;
  };

  it('G4: with an inbox miss live events, see the gap, and get every item in order when they read again; nobody waits for them', async () => {
    const caps = ['plexus-inbox-v1'];
    const [slow, fast] = [await connect('sam', { caps }), await connect('sam', { caps })];
    await Promise.all([slow, fast].map((client) => client.request('inbox.resume', { cursor: 'epoch-1:0' })));
    const before = await delivery();
    tcp(slow).pause();
    const to = routing.ensure({ tenant: 'default', user: 'sam' }, 'agent:main:flood');
    for (let index = 0; index < FLOOD; index += 1) {
      if (index % 5 === 0) push.deliver('default', 'sam');
      await routing.publish(to, { event: { type: 'message', text: `${index} ${TEXT}`, messageId: `m${index}` } });
    }
    await waitFor(() => fast.events('chat').length === FLOOD && offsets(fast).length === FLOOD / 5, { what: 'everything on the fast socket' });
    expect(slow.closed).toBeUndefined();
    const during = await delivery();
    expect(during.lagged).toBeGreaterThan(before.lagged);
    expect(during.missed).toBeGreaterThan(before.missed);

    tcp(slow).resume();
    const everything = Array.from({ length: FLOOD / 5 }, (_, index) => index + 1);
    await waitFor(() => offsets(slow).length >= everything.length, { what: 'every item on the slow socket' });
    push.deliver('default', 'sam');
    await slow.event('inbox.item', ({ offset }) => offset === FLOOD / 5 + 1);
    expect(offsets(slow)).toEqual([...everything, FLOOD / 5 + 1]);
    expect(slow.events('chat').length).toBeLessThan(FLOOD);
    const numbers = slow.frames.filter(({ seq }) => seq !== undefined).map(({ seq }) => seq as number);
    // Missed events have used up their numbers, and no number comes twice or out of order.
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.at(-1)).toBeGreaterThan(numbers.length);
    await waitFor(
      async () => {
        const last = slow.events('chat').length;
        await routing.publish(to, { event: { type: 'message', text: 'live again', messageId: `again-${last}-${Date.now()}` } });
        return slow.events('chat').some(({ payload }) => JSON.stringify(payload).includes('live again'));
      },
      { what: 'live events again' },
    );
  }, 180_000);
});
