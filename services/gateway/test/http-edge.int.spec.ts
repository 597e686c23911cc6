import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AddressInfo } from 'node:net';
import { BUCKETS, plexusError, pushTriggersContracts as triggers } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'plugins');
const PLUGINS = ['doorbell.mjs', 'second.mjs'].map((file) => path.join(FOLDER, file)).join(',');
const ISSUER = 'https://id.example';
const PAGE = 'https://app.example';

describe('the edge of the HTTP API', () => {
  let mesh: TestMesh;
  let one: TestGateway;
  let two: TestGateway;
  let issuer: http.Server;
  let issuerKey: CryptoKey;
  let removals = 0;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const pair = await generateKeyPair('ES256');
    issuerKey = pair.privateKey;
    const set = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k' }] });
    issuer = http.createServer((_request, answer) => void answer.end(set));
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const jwksUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
    const config = await mesh.operator.kv(BUCKETS.config);
    const keys = [mesh.state.publicKey];
    await config.put('_', {
      tenants: {
        default: { defaultOwner: 'me', keys, issuers: [{ issuer: ISSUER, jwksUrl, audience: 'plexus' }] },
        other: { keys, limits: { requestsPerMinute: 2 } },
      },
    });
    const [routing, push] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    new RoutingStandIn(routing);
    new PushStandIn(push);
    push.serve(triggers.removeSchedule, async ({ id }) => {
      removals += 1;
      if (id === 'refused') throw plexusError('NOT_FOUND');
      return { removed: removals === 1 };
    });
    const settings = {
      GATEWAY_PLUGINS: PLUGINS,
      GATEWAY_BODY_LIMIT_BYTES: '2000',
      GATEWAY_ALLOWED_ORIGINS: PAGE,
      GATEWAY_TRUSTED_PROXIES: '127.0.0.1',
      GATEWAY_HTTP_ADDRESS_PER_SECOND: '1',
      GATEWAY_HTTP_ADDRESS_BURST: '4',
    };
    [one, two] = await Promise.all([mesh.gateway({ ...settings, GATEWAY_PRIVATE_HOSTS: '127.0.0.1' }), mesh.gateway(settings)]);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    await mesh?.stop();
    issuer?.closeAllConnections();
    issuer?.close();
  });

  const ring = (query: string, gateway = one) => fetch(`${gateway.http}/hooks/doorbell${query}`, { method: 'POST', body: '{"door":"front"}' });
  const bearer = (token = mesh.token) => ({ authorization: `Bearer ${token}` });
  async function node(gateway: TestGateway, id: string, token = mesh.token): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, token, {
      role: 'node',
      scopes: [],
      client: { id: 'node-host', version: '1', platform: 'linux', mode: 'node' },
      device: { id: id.repeat(64) },
    });
    clients.push(client);
    return client;
  }
  /** The frames of an event as they were on the socket. */
  function texts(client: RawClient): string[] {
    const found: string[] = [];
    client.socket.on('message', (data) => {
      if (String(data).includes('doorbell.')) found.push(String(data));
    });
    return found;
  }

  it("a plugin answers its routes before the generic handlers, and these in their order; the rest is nobody's", async () => {
    const rung = await ring('?tenant=default');
    expect([rung.status, rung.headers.get('x-door'), rung.headers.get('content-type'), await rung.json()]).toEqual([
      202,
      'front',
      'application/json; charset=utf-8',
      { rung: 'front' },
    ]);
    const get = async (at: string, init?: RequestInit) => (await fetch(`${one.http}${at}`, init)).text();
    expect(await get('/generic/x?y=1')).toBe('first /generic/x');
    expect(await get('/generic', { method: 'PUT', body: 'abc' })).toBe('second PUT 3');
    expect(await get('/second')).toBe('second GET 0');
    const missing = await fetch(`${one.http}/nobody`, { method: 'POST', body: 'x' });
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: 'NOT_FOUND' }]);
    expect((await fetch(`${one.http}/v1/nobody`, { headers: bearer() })).status).toBe(404);
    expect((await fetch(`${one.http}/healthz`)).status).toBe(200);
    for (const target of ['//', '//x/hooks/doorbell', '/v1/../hooks/doorbell', '/%zz', 'http://[/']) {
      const status = await new Promise((resolve, reject) => {
        http.get(one.http, { path: target, agent: false }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
      });
      expect([target, [400, 404].includes(status as number)]).toEqual([target, true]);
    }
  });

  it('what a plugin does wrong is a 500 or 504 as text that says nothing, and the gateway goes on', async () => {
    const hasty = await mesh.gateway({ GATEWAY_PLUGINS: PLUGINS, GATEWAY_PLUGIN_TIMEOUT_MS: '1000' });
    // A body that never ends.
    const unfinished = new Promise<string>((resolve) => {
      const request = http.request(`${hasty.http}/hooks/doorbell`, { method: 'POST', headers: { 'content-length': '10' } }, (answer) =>
        resolve(String(answer.statusCode)),
      );
      request.on('error', () => resolve('cut'));
      request.write('{');
    });
    for (const [gateway, at, status, text] of [
      [one, '/hooks/broken', 500, 'Internal Server Error'],
      [one, '/hooks/forged', 500, 'Internal Server Error'],
      [hasty, '/hooks/slow', 504, 'Gateway Timeout'],
    ] as const) {
      const answer = await fetch(`${gateway.http}${at}`);
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([status, 'text/plain; charset=utf-8', text]);
    }
    const large = await fetch(`${one.http}/hooks/doorbell`, { method: 'POST', body: 'x'.repeat(3_000) });
    expect([large.status, await large.json()]).toMatchObject([413, { code: 'PAYLOAD_TOO_LARGE' }]);
    expect(['504', 'cut']).toContain(await unfinished);
    expect((await ring('', hasty)).status).toBe(202);
    await hasty.stop();
  });

  it('a route with a scope gets the proven caller and never its token', async () => {
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(`${one.http}/hooks/whoami`, { headers });
      return [answer.status, await answer.json()];
    };
    const write = ['operator.write'];
    expect(await ask(bearer(await mesh.jwt({ sub: 'ann', tenant: 'other', scopes: write })))).toEqual([
      200,
      { caller: { tenant: 'other', user: 'ann', scopes: write }, sawToken: false },
    ]);
    expect(await ask(bearer(await mesh.jwt({ sub: 'ann', scopes: ['operator.read'] })))).toMatchObject([403, { code: 'MISSING_SCOPE' }]);
    expect(await ask({})).toMatchObject([401, { code: 'UNAUTHENTICATED' }]);
  });

  it('a plugin reaches the nodes of its tenant on every gateway with the same bytes, by session, by subscription, or all', async () => {
    const here = await node(one, 'a');
    const there = await node(two, 'b');
    const idle = await node(two, 'c');
    const strange = await node(two, 'd', await mesh.jwt({ sub: 'me', tenant: 'other' }));
    const bytes = new Map([here, there, idle, strange].map((client) => [client, texts(client)]));
    for (const client of [here, there]) await client.request('node.event', { event: 'chat.subscribe', payload: { sessionKey: 'agent:main:main' } });
    await there.request('node.event', { event: 'chat.subscribe', payload: { sessionKey: 'agent:main:door' } });

    expect((await ring('?session=agent:main:door&owner=me')).status).toBe(202);
    expect((await ring('?subscribed')).status).toBe(202);
    expect((await ring('?tenant=default')).status).toBe(202);
    await Promise.all([here, there, idle].map((client) => client.event('doorbell.ring')));
    const seen = (client: RawClient) => (bytes.get(client) ?? []).map((text) => JSON.parse(text).event).sort();
    await waitFor(() => seen(there).length === 3 && seen(here).length === 2, { what: 'the other events' });
    expect(seen(there)).toEqual(['doorbell.ring', 'doorbell.session', 'doorbell.subscribed']);
    expect(seen(here)).toEqual(['doorbell.ring', 'doorbell.subscribed']);
    expect(seen(idle)).toEqual(['doorbell.ring']);
    expect(new Set([here, there, idle].flatMap((client) => (bytes.get(client) ?? []).filter((text) => text.includes('.ring')))).size).toBe(1);
    expect([here, there, idle].flatMap(({ violations }) => violations)).toEqual([]);

    expect((await ring('?tenant=other')).status).toBe(202);
    await strange.event('doorbell.ring');
    expect(seen(strange)).toEqual(['doorbell.ring']);
    // Nobody else's tenant can be named.
    expect((await ring('?tenant=nobody')).status).toBe(500);
  });

  it('a token of an issuer is its user, by keys that are read from an address that the operator allows', async () => {
    const token = await new SignJWT({ sub: 'ann', scope: 'operator.write' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer(ISSUER)
      .setAudience('plexus')
      .setExpirationTime('10 min')
      .sign(issuerKey);
    const answer = await fetch(`${one.http}/hooks/whoami`, { headers: bearer(token) });
    expect([answer.status, await answer.json()]).toMatchObject([200, { caller: { tenant: 'default', user: 'ann', scopes: ['operator.write'] } }]);
    // The other gateway may not read from private addresses.
    const refused = await fetch(`${two.http}/hooks/whoami`, { headers: bearer(token) });
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'UNAVAILABLE', retryable: true }]);
  });

  it('a write with an Idempotency-Key has one effect, whichever gateway is asked again', async () => {
    const remove = async (gateway: TestGateway, id: string, key: string) => {
      const answer = await fetch(`${gateway.http}/v1/schedules/${id}`, { method: 'DELETE', headers: { ...bearer(), 'idempotency-key': key } });
      return [answer.status, answer.headers.get('idempotent-replayed'), await answer.json()];
    };
    expect(await remove(one, 'a', 'k1')).toEqual([200, null, { removed: true }]);
    expect(await remove(two, 'a', 'k1')).toEqual([200, 'true', { removed: true }]);
    expect(await remove(one, 'a', 'k1')).toEqual([200, 'true', { removed: true }]);
    expect(removals).toBe(1);
    expect(await remove(two, 'a', 'k2')).toEqual([200, null, { removed: false }]);
    expect(await remove(one, 'refused', 'k3')).toMatchObject([404, null, { code: 'NOT_FOUND' }]);
    expect(await remove(two, 'refused', 'k3')).toMatchObject([404, null, { code: 'NOT_FOUND' }]);
    expect(removals).toBe(4);
  });

  it('pages of allowed origins may ask and read, also errors and streams; others may not', async () => {
    const preflight = (origin: string) =>
      fetch(`${one.http}/v1/chat/send`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      });
    const allowed = await preflight(PAGE);
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('vary')]).toEqual([204, PAGE, 'Origin']);
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
    const refused = await preflight('https://evil.example');
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([404, null]);

    const stream = new AbortController();
    for (const [at, status] of [
      ['/v1/sessions', 200],
      ['/v1/sessions?limit=x', 400],
      ['/v1/inbox/stream', 200],
      ['/generic/x', 200],
    ] as const) {
      const answer = await fetch(`${one.http}${at}`, { headers: { ...bearer(), origin: PAGE }, signal: stream.signal });
      expect([at, answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([at, status, PAGE]);
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('access-control-expose-headers')).toContain('ETag');
    }
    stream.abort();
  });

  it('an address and a user have a rate; more is told when to come back, loopback and probes are exempt', async () => {
    const from = (address: string, at: string, token = mesh.token) => fetch(`${one.http}${at}`, { headers: { ...bearer(token), 'x-forwarded-for': address } });
    // The user first, from many addresses: its tenant allows two a minute.
    const user = await mesh.jwt({ sub: 'busy', tenant: 'other' });
    const byUser = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => from(`203.0.113.${i}`, '/v1/sessions', user)));
    const limited = byUser.find(({ status }) => status === 429) as Response;
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await limited.json()).toMatchObject({ code: 'RATE_LIMITED', status: 429, retryable: true, detail: 'too many requests of this user' });
    // One address, whoever asks.
    const statuses = (await Promise.all(Array.from({ length: 60 }, () => from('198.51.100.7', '/generic/x')))).map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses).toContain(429);
    expect((await from('198.51.100.7', '/healthz')).status).toBe(200);
    for (let i = 0; i < 20; i += 1) expect((await fetch(`${one.http}/v1/sessions`, { headers: bearer() })).status).toBe(200);
  });
});
