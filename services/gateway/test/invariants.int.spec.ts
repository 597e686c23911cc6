import { BUCKETS } from '@plexus/contracts';
import { userRevocationKey } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { Balancer } from './support/balancer.js';
import { PushStandIn } from './support/push-stand-in.js';
import { connectParams, type Frame, RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { TestMesh } from './support/test-mesh.js';

describe('two gateways behind a balancer that knows nothing', () => {
  let mesh: TestMesh;
  let push: PushStandIn;
  let routing: RoutingStandIn;
  let balancer: Balancer;
  let number = 0;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    routing = new RoutingStandIn(routingBus);
    push = new PushStandIn(pushBus);
    const settings = { GATEWAY_TICK_MS: '300', GATEWAY_MAX_USER_CONNECTIONS: '2', GATEWAY_TRUSTED_PROXIES: '127.0.0.1' };
    const gateways = await Promise.all([mesh.gateway(settings), mesh.gateway(settings)]);
    balancer = await Balancer.start(gateways.map(({ ws }) => ws));
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      expect(client.violations).toEqual([]);
      client.close();
    }
  });
  afterAll(async () => {
    await balancer?.stop();
    await mesh?.stop();
  });

  const newUser = () => `person${++number}`;
  async function connect(user: string, caps: string[] = []): Promise<RawClient> {
    const client = await RawClient.connect(balancer.ws, await mesh.jwt({ sub: user }), { scopes: ['operator.write'], caps });
    clients.push(client);
    return client;
  }
  /** Two connections; the balancer puts one on each gateway. */
  const pair = async (user: string): Promise<[RawClient, RawClient]> => [await connect(user), await connect(user)];
  const offsets = (client: RawClient) => client.events('inbox.item').map(({ payload }) => payload.offset as number);
  const upTo = (to: number, from = 1) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
  const settled = (client: RawClient, head: number) => client.event('tick', (payload) => payload.head === head);

  it('G1: a client that moves between them sees every offset once and in order from its resume point', async () => {
    const user = newUser();
    const seen: number[] = [];
    let cursor = 'epoch-1:0';
    for (let round = 0; round < 6; round += 1) {
      for (let index = 0; index < 7; index += 1) push.deliver('default', user, { hint: index % 2 === 0 });
      const client = await connect(user, ['plexus-inbox-v1']);
      // It announced that it resumes: what comes before that is not for it yet.
      push.deliver('default', user);
      client.send({ type: 'req', id: 'resume', method: 'inbox.resume', params: { cursor } });
      // While it resumes, more comes.
      push.deliver('default', user);
      const head = (round + 1) * 9;
      await waitFor(() => offsets(client).at(-1) === head, { what: `offset ${head}` });
      seen.push(...offsets(client));
      cursor = client.events('inbox.item').at(-1)?.payload.cursor;
      client.close();
    }
    expect(seen).toEqual(upTo(54));
    expect([...balancer.passed.values()].every((count) => count >= 3)).toBe(true);
  });

  it('G2: recovered means that nothing in (cursor, head] is missing, also while more comes; what cannot be recovered is never called so', async () => {
    const user = newUser();
    for (let index = 0; index < 500; index += 1) push.deliver('default', user, { hint: false });
    const client = await connect(user, ['plexus-inbox-v1']);
    const answer = client.request('inbox.resume', { cursor: 'epoch-1:100' }, 'resume');
    for (let index = 0; index < 20; index += 1) push.deliver('default', user);
    const { payload } = await answer;
    expect(payload.recovered).toBe(true);
    const before = client.frames
      .slice(
        0,
        client.frames.findIndex(({ id }) => id === 'resume'),
      )
      .filter(({ event }) => event === 'inbox.item');
    expect(before.map(({ payload: item }) => item.offset)).toEqual(upTo(payload.head, 101));
    expect(payload.head).toBeGreaterThanOrEqual(500);

    push.minOffset = 50;
    const refused = await Promise.all(['epoch-0:100', 'epoch-1:49', 'epoch-1:9999'].map((cursor) => client.request('inbox.resume', { cursor }, cursor)));
    push.minOffset = 0;
    expect(refused.map(({ payload: result }) => [result.recovered, result.count])).toEqual(Array(3).fill([false, 0]));
  });

  it('G3: a one-time ticket opens one connection, whichever gateways it is shown to at once', async () => {
    const response = await fetch(`${balancer.http}/v1/ws-tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await mesh.jwt({ sub: newUser() })}`, 'content-type': 'application/json' },
      body: '{}',
    });
    const { ticket } = (await response.json()) as { ticket: string };
    const sockets = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(balancer.ws)));
    clients.push(...sockets);
    const answers = await Promise.all(sockets.map((socket) => socket.request('connect', connectParams(ticket))));
    expect(answers.filter(({ ok }) => ok === true)).toHaveLength(1);
  });

  it('G6: whoever is revoked is closed on both of them, and comes in nowhere', async () => {
    const user = newUser();
    const [both, stranger] = [await pair(user), await connect(newUser())];
    await (await mesh.operator.kv(BUCKETS.revocations)).put(userRevocationKey('default', user), 'left');
    for (const client of both) expect(await client.end()).toEqual({ code: 4403, reason: 'revoked' });
    for (let index = 0; index < 2; index += 1) await expect(connect(user)).rejects.toThrow('token_revoked');
    expect((await stranger.request('health')).ok).toBe(true);
  });

  it('G9: what a client counts as unread is what the inbox says, whatever is delivered, marked, acknowledged or lost, wherever it is connected', async () => {
    const user = newUser();
    const [one, two] = await pair(user);
    for (const client of [one, two]) {
      client.send({ type: 'req', id: 'resume', method: 'inbox.resume', params: { cursor: 'epoch-1:0' } });
      await client.response('resume');
    }
    for (let step = 1; step <= 60; step += 1) {
      push.deliver('default', user, { hint: step % 4 !== 0 });
      const client = step % 2 === 0 ? one : two;
      if (step % 3 === 0) client.send({ type: 'req', id: `m${step}`, method: 'inbox.mark', params: { ids: [`dlv_${step - 2}`], state: 'read' } });
      if (step % 20 === 0) client.send({ type: 'req', id: `a${step}`, method: 'inbox.ack', params: { offset: step - 10 } });
      // One that resumes in the middle of it all is told the truth as well.
      if (step === 30) client.send({ type: 'req', id: 'again', method: 'inbox.resume', params: { cursor: 'epoch-1:5' } });
    }
    await Promise.all([one, two].map((client) => waitFor(() => offsets(client).at(-1) === 60, { what: 'the last item' })));
    await Promise.all([one.response('m60').catch(() => undefined), two.response('m57')]);
    const truth = push.unread('default', user);
    expect(truth).toBeLessThan(60);
    for (const client of [one, two]) await waitFor(() => unreadAt(client) === truth, { what: `${truth} unread items, it counts ${unreadAt(client)}` });
  });

  it('an item, a session event and a presence reach both of them', async () => {
    const user = newUser();
    const [one, two] = await pair(user);
    await Promise.all([settled(one, 0), settled(two, 0)]);
    push.deliver('default', user);
    await routing.publish(routing.ensure({ tenant: 'default', user }, 'agent:main:both'), { event: { type: 'message', text: 'hello', messageId: 'm1' } });
    for (const client of [one, two]) {
      await client.event('inbox.item', ({ offset }) => offset === 1);
      await client.event('chat');
      await waitFor(async () => (await client.request('system-presence')).payload.length === 2, { what: 'both connections' });
    }
  });

  it('a limit of a user holds across them', async () => {
    const token = await mesh.jwt({ sub: newUser() });
    const headers = { 'x-forwarded-for': '203.0.113.9' };
    const sockets = await Promise.all(Array.from({ length: 6 }, () => RawClient.open(balancer.ws, { headers })));
    clients.push(...sockets);
    const answers = await Promise.all(sockets.map((socket) => socket.request('connect', connectParams(token))));
    expect(answers.filter(({ ok }) => ok === true)).toHaveLength(2);
    expect(answers.filter(({ error }) => error?.details?.code === 'QUOTA_EXCEEDED')).toHaveLength(4);
  });
});

/** What a client shows as unread: what it was told last, and one more for every item since. */
function unreadAt(client: RawClient): number {
  let unread = 0;
  let last = 0;
  for (const frame of client.frames as Frame[]) {
    if (frame.event === 'inbox.item' && frame.payload.offset > last) {
      last = frame.payload.offset;
      unread += frame.payload.state === 'new' ? 1 : 0;
    } else if (frame.event === 'inbox.changed' || (frame.type === 'res' && frame.payload?.recovered !== undefined)) unread = frame.payload.unread;
  }
  return unread;
}
