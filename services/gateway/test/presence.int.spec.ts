import { waitFor } from '@plexus/testing';
import { PushStandIn } from './support/push-stand-in.js';
import { connectParams, RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { TestMesh } from './support/test-mesh.js';

/** Comes through a trusted proxy from somewhere else: loopback itself is not limited. */
const AWAY = { 'x-forwarded-for': '203.0.113.7' };

describe('presence and limits over replicas', () => {
  let mesh: TestMesh;
  const clients: RawClient[] = [];
  let gateways: { ws: string; http: string; stop(): Promise<void> }[];

  const settings = {
    GATEWAY_TRUSTED_PROXIES: '127.0.0.1,::1',
    GATEWAY_MAX_USER_CONNECTIONS: '3',
    GATEWAY_MESSAGES_PER_SECOND: '1',
    GATEWAY_MESSAGE_BURST: '5',
  };

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routing, push] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    new RoutingStandIn(routing);
    new PushStandIn(push);
    gateways = await Promise.all([mesh.gateway(settings), mesh.gateway(settings)]);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => mesh?.stop());

  const at = (index: number): string => (gateways[index % gateways.length] as { ws: string }).ws;
  async function enter(index: number, token: string, headers: Record<string, string> = AWAY) {
    const client = await RawClient.open(at(index), { headers });
    clients.push(client);
    const answer = await client.request('connect', connectParams(token, { scopes: ['operator.read'] }));
    return { client, answer };
  }

  it('lets in as many connections of a user as configured, wherever they come in, and the next one when one has gone', async () => {
    const token = await mesh.jwt({ sub: 'ann' });
    const tries = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((index) => enter(index, token)));
    const inside = tries.filter(({ answer }) => answer.ok === true);
    expect(inside).toHaveLength(3);
    for (const { client, answer } of tries.filter((one) => one.answer.ok !== true)) {
      expect(answer.error).toMatchObject({
        code: 'UNAVAILABLE',
        retryable: true,
        retryAfterMs: expect.any(Number),
        details: { code: 'QUOTA_EXCEEDED', whose: 'user' },
      });
      expect((await client.end()).code).toBe(4029);
    }
    // Another user, and the same user from this machine, are not in the way of it.
    expect((await enter(0, await mesh.jwt({ sub: 'bob' }))).answer.ok).toBe(true);
    expect((await enter(1, token, {})).answer.ok).toBe(true);
    inside[0]?.client.close();
    await waitFor(async () => (await enter(1, token)).answer.ok === true, { what: 'the free place' });
  });

  it('shows every connection of the user on every gateway, and of the tenant to its administrator', async () => {
    const token = await mesh.jwt({ sub: 'cid' });
    const [one, two] = await Promise.all([enter(0, token), enter(1, token)]);
    const hosts = async (client: RawClient) => (await client.request('system-presence')).payload as { user: string; host: string; roles: string[] }[];
    await waitFor(async () => (await hosts(one.client)).length === 2, { what: 'both connections' });
    const seen = await hosts(two.client);
    expect(new Set(seen.map(({ host }) => host)).size).toBe(2);
    expect(seen.map(({ user }) => user)).toEqual(['cid', 'cid']);
    const admin = await RawClient.connect(at(0), mesh.token);
    clients.push(admin);
    await waitFor(async () => (await hosts(admin)).filter(({ user }) => user === 'cid').length === 2, {
      what: 'both connections of cid for the administrator',
    });
    two.client.close();
    await waitFor(async () => (await hosts(one.client)).length === 1, { what: 'the other one to be gone' });
  });

  it('answers a client that asks too much at once, and goes on serving it', async () => {
    const { client } = await enter(0, await mesh.jwt({ sub: 'dan' }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.request('health')));
    const refused = answers.filter(({ ok }) => ok !== true);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(5);
    for (const { error } of refused) expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, details: { code: 'RATE_LIMITED' } });
    await waitFor(async () => (await client.request('health')).ok === true, { what: 'an answer again' });
  });

  it('counts what a user sends over all of its connections, in requests and in bytes, and says when to come back', async () => {
    const generous = { GATEWAY_TRUSTED_PROXIES: '127.0.0.1,::1', GATEWAY_MESSAGES_PER_SECOND: '1000000', GATEWAY_MESSAGE_BURST: '1000000' };
    const own = await mesh.gateway({ ...generous, GATEWAY_USER_REQUESTS_PER_SECOND: '1', GATEWAY_USER_BYTES_PER_SECOND: '100' });
    const come = async (token: string) => {
      const client = await RawClient.open(own.ws, { headers: AWAY });
      clients.push(client);
      expect((await client.request('connect', connectParams(token, { scopes: ['operator.read'] }))).ok).toBe(true);
      return client;
    };
    const [fay, gus] = [await mesh.jwt({ sub: 'fay' }), await mesh.jwt({ sub: 'gus' })];
    const [one, two] = [await come(fay), await come(fay)];
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? one : two).request('health')));
    const refused = answers.filter(({ ok }) => ok !== true);
    expect(refused.length).toBeGreaterThan(0);
    for (const { error } of refused) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, retryAfterMs: expect.any(Number), details: { code: 'RATE_LIMITED', whose: 'user' } });
    }
    const other = await come(gus);
    expect((await other.request('health', { pad: 'x'.repeat(100_000) })).ok).toBe(true);
    expect((await other.request('health')).error).toMatchObject({ details: { code: 'RATE_LIMITED', whose: 'user', what: 'bytes' } });
    const overHttp = await fetch(`${own.http}/v1/sessions`, { headers: { authorization: `Bearer ${gus}`, ...AWAY } });
    expect([overHttp.status, Number(overHttp.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect(await overHttp.json()).toMatchObject({ code: 'RATE_LIMITED', retryable: true, detail: 'too many bytes of this user' });
    await own.stop();
  });

  it('a gateway that stops takes its connections out of the presence', async () => {
    const third = await mesh.gateway(settings);
    gateways.push(third);
    const token = await mesh.jwt({ sub: 'eve' });
    const stays = await enter(0, token);
    await enter(2, token);
    await waitFor(async () => (await stays.client.request('system-presence')).payload.length === 2, { what: 'both connections' });
    await third.stop();
    gateways.pop();
    await waitFor(async () => (await stays.client.request('system-presence')).payload.length === 1, { what: 'only the one that stays' });
  });
});
