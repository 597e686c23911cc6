import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { GatewayClient } from '@plexus/client-protocol';
import { startTestMesh, type TestMesh } from '@plexus/testing';
import WebSocket from 'ws';
import { callsOf, plexus } from './plexus.js';

describe('the walking mesh', () => {
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 180_000);

  const { run, call } = callsOf(() => mesh);

  async function withClient<T>(token: string, work: (client: GatewayClient) => Promise<T>): Promise<T> {
    const client = new GatewayClient({ url: mesh.gateway.ws, token, createSocket: (url) => new WebSocket(url) as never });
    try {
      await client.connect({ timeoutMs: 60_000 });
      return await work(client);
    } finally {
      client.close();
    }
  }

  it('plays the demo: chat, foreign event, memory', async () => {
    const demo = await run('demo');
    expect(demo.json<{ steps: { ok: boolean; error?: string }[] }>().steps.map((step) => step.error ?? 'ok')).toEqual(['ok', 'ok', 'ok']);
    expect(demo.code).toBe(0);
  }, 180_000);

  it('publishes one event and sees it arrive, with nothing but the gateway and a token from a file; and leaves nothing behind', async () => {
    const file = path.join(mesh.stateDir, 'token-of-the-smoke-test');
    writeFileSync(file, `${mesh.token}\n`, { mode: 0o600 });
    const before = await (await call('GET', '/v1/subscriptions')).json();
    const smoke = await plexus(['--state', '/nowhere', '--gateway', mesh.gateway.http, '--token-file', file, '--json', 'smoke']);
    expect([smoke.code, smoke.json()]).toEqual([0, expect.objectContaining({ offset: expect.any(Number), outcome: 'sent' })]);
    expect(await (await call('GET', '/v1/subscriptions')).json()).toEqual(before);
    const nobody = await plexus(['--state', '/nowhere', '--gateway', 'http://127.0.0.1:9', '--token-file', file, '--json', 'smoke']);
    expect([nobody.code, nobody.json<{ error: { code: string } }>().error.code]).toEqual([3, 'UNREACHABLE']);
  }, 180_000);

  it('is ready, and each service answers /metrics', async () => {
    const status = await run('status');
    expect(status.code).toBe(0);
    const services = status.json<{ services: { name: string; http: string }[] }>().services;
    expect(services.map(({ name }) => name).sort()).toEqual(['gateway', 'memory', 'push', 'routing', 'scheduler']);
    for (const { name, http } of services) {
      const metrics = await (await fetch(`${http}/metrics`)).text();
      expect([name, /^# TYPE /m.test(metrics)]).toEqual([name, true]);
    }
  });

  it('keeps the sessions, inboxes and memories of two users apart', async () => {
    const tokens = await Promise.all(
      ['ann', 'bob'].map(async (user) => (await run('token', 'mint', '--user', user, '--scopes', 'operator.admin')).json<{ token: string }>().token),
    );
    const [ann = '', bob = ''] = tokens;
    await withClient(ann, async (client) => {
      for await (const _piece of client.chatSend({ sessionKey: 'main', message: "ann's secret" }));
    });
    expect(await withClient(bob, (client) => client.history('main'))).toMatchObject({ messages: [] });
    await call('POST', '/v1/memory', JSON.stringify({ content: 'annsword is the word' }), ann);
    const found = (await (await call('GET', '/v1/memory/search?q=annsword', undefined, bob)).json()) as { hits: unknown[] };
    expect(found.hits).toEqual([]);
  }, 180_000);

  it.each([
    ['illegal JSON', 'POST', '/v1/memory', '{', 400, 'INVALID_JSON'],
    ['a wrong shape', 'POST', '/v1/memory', '{"content":7}', 400, 'INVALID_REQUEST'],
    ['an event without id', 'POST', '/v1/events', '{"specversion":"1.0","source":"/x","type":"t"}', 400, 'INVALID_EVENT'],
    ['an unknown route', 'GET', '/v1/nothing', undefined, 404, 'NOT_FOUND'],
  ])('answers %s with a stable code', async (_title, method, url, body, status, code) => {
    const response = await call(method, url, body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  });

  it('refuses a wrong token, and a token of an unknown tenant, and lives on', async () => {
    expect((await call('GET', '/v1/inbox', undefined, 'wrong')).status).toBe(401);
    const stranger = (await run('token', 'mint', '--user', 'u', '--tenant', 'nowhere')).json<{ token: string }>().token;
    const response = await call('GET', '/v1/inbox', undefined, stranger);
    expect([401, 404]).toContain(response.status);
    expect((await call('GET', '/v1/inbox')).status).toBe(200);
  });

  it('has the streams that the contracts declare, and an event published by the command is stored once', async () => {
    expect((await run('nats', 'plan')).code).toBe(0);
    const first = await run('events', 'publish', 'demo.hello', '--id', 'same-id', '--data', '{"summary":"hi"}');
    expect(first.json<{ duplicate: boolean }>().duplicate).toBe(false);
    const second = await run('events', 'publish', 'demo.hello', '--id', 'same-id', '--data', '{"summary":"hi"}');
    expect(second.json<{ duplicate: boolean }>().duplicate).toBe(true);
    expect((await run('events', 'publish', 'demo.hello', '--data', '{')).code).toBe(2);
  });
});
