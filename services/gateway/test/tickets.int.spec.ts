import { BUCKETS } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { PushStandIn } from './support/push-stand-in.js';
import { connectParams, RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { TestMesh } from './support/test-mesh.js';

describe('one-time tickets', () => {
  let mesh: TestMesh;
  const clients: RawClient[] = [];
  let one: { ws: string; http: string };
  let two: { ws: string; http: string };

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routing, push] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    new RoutingStandIn(routing);
    new PushStandIn(push);
    const allow = { GATEWAY_ALLOWED_ORIGINS: 'https://app.example' };
    [one, two] = await Promise.all([mesh.gateway(allow), mesh.gateway(allow)]);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => mesh?.stop());

  async function issue(token: string, headers: Record<string, string> = {}, body: unknown = {}): Promise<string> {
    const response = await fetch(`${one.http}/v1/ws-tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(201);
    const { ticket, expiresAt } = (await response.json()) as { ticket: string; expiresAt: string };
    expect(ticket.length).toBeGreaterThanOrEqual(43);
    expect(Date.parse(expiresAt)).toBeGreaterThan(0);
    return ticket;
  }
  async function use(ws: string, ticket: string, headers: Record<string, string> = {}) {
    const client = await RawClient.open(ws, { headers });
    clients.push(client);
    return client.request('connect', connectParams(ticket, { scopes: ['operator.read'] }));
  }

  it('opens one connection cluster-wide, as its user with its scopes, however many try at once (G3)', async () => {
    const ticket = await issue(await mesh.jwt({ sub: 'ann', scopes: ['operator.read'] }));
    const sockets = await Promise.all([one.ws, two.ws, one.ws, two.ws, one.ws, two.ws].map((ws) => RawClient.open(ws)));
    clients.push(...sockets);
    const answers = await Promise.all(sockets.map((socket) => socket.request('connect', connectParams(ticket, { scopes: ['operator.read'] }))));
    const welcomed = answers.filter(({ ok }) => ok === true);
    expect(welcomed).toHaveLength(1);
    expect(welcomed[0]?.payload.auth).toEqual({ role: 'operator', scopes: ['operator.read'] });
    const winner = sockets[answers.findIndex(({ ok }) => ok === true)] as RawClient;
    const present = await waitFor(async () => ((await winner.request('system-presence')).payload as { user: string }[]).at(0), { what: 'its presence' });
    expect(present.user).toBe('ann');
    for (const refused of answers.filter(({ ok }) => ok !== true)) expect(refused.error?.details?.code).toBe('AUTH_TOKEN_MISMATCH');
    expect((await use(two.ws, ticket)).ok).toBe(false);
  });

  it('is meant for the page that asked for it', async () => {
    const token = await mesh.jwt({ sub: 'ann' });
    const app = { origin: 'https://app.example' };
    expect((await use(two.ws, await issue(token, app), app)).ok).toBe(true);
    expect((await use(two.ws, await issue(token, app))).ok).toBe(false);
    expect((await use(two.ws, await issue(token, {}, { origin: 'https://app.example' }), app)).ok).toBe(true);
  });

  it('keeps only its hash, falls with its credential, and is no bearer token', async () => {
    const token = await mesh.jwt({ sub: 'tom', jti: 'tom-1' });
    const ticket = await issue(token);
    const bucket = await mesh.operator.kv(BUCKETS.tickets);
    const keys = await bucket.keys();
    for (const key of keys) {
      const entry = await bucket.get(key);
      expect(`${key} ${JSON.stringify(entry?.json())}`).not.toContain(ticket);
    }
    const asBearer = await fetch(`${one.http}/v1/sessions`, { headers: { authorization: `Bearer ${ticket}` } });
    expect(asBearer.status).toBe(401);
    const revocations = await mesh.operator.kv(BUCKETS.revocations);
    await revocations.put('user.default.tom', {});
    // Whether the gateway has heard of it or not yet: a connection that came in is closed, one that comes later is refused.
    const client = await RawClient.open(two.ws);
    clients.push(client);
    const answer = await client.request('connect', connectParams(ticket, { scopes: ['operator.read'] }));
    if (answer.ok === true) expect((await client.end()).code).toBe(4403);
    else expect(answer.error?.details?.authReason).toBe('token_revoked');
  });

  it('needs a caller, and a sensible body', async () => {
    expect((await fetch(`${one.http}/v1/ws-tickets`, { method: 'POST' })).status).toBe(401);
    const token = await mesh.jwt({ sub: 'ann' });
    const response = await fetch(`${one.http}/v1/ws-tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"origin":7}',
    });
    expect(response.status).toBe(400);
  });
});
