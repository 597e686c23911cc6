import { HelloOk } from '@plexus/client-protocol';
import { BUCKETS } from '@plexus/contracts';
import { credentialRevocationKey, userRevocationKey } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { connectParams, RawClient } from './support/raw-client.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

describe('the handshake', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    gateway = await mesh.gateway({ GATEWAY_MAX_UNAUTHENTICATED: '8', GATEWAY_ALLOWED_ORIGINS: 'https://console.example' });
  });
  afterEach(async () => {
    for (const client of clients) {
      expect(client.violations).toEqual([]);
      client.close();
    }
    await waitFor(() => clients.splice(0).every(({ closed }) => closed !== undefined), { what: 'closed sockets' });
  });
  afterAll(() => mesh?.stop());

  async function open(path = '', headers?: Record<string, string>): Promise<RawClient> {
    const client = await RawClient.open(`${gateway.ws}${path}`, headers === undefined ? {} : { headers });
    clients.push(client);
    return client;
  }

  async function refusal(params: unknown, headers?: Record<string, string>) {
    const client = await open('', headers);
    const { ok, error } = await client.request('connect', params);
    expect(ok).toBe(false);
    return { ...error, closed: await client.end() };
  }

  it.each(['', '/ws', '/anything'])('begins with a challenge at once, on %s', async (path) => {
    const client = await open(path);
    expect(client.frames[0]).toMatchObject({
      type: 'event',
      event: 'connect.challenge',
      payload: { nonce: expect.stringMatching(/\S{16,}/), ts: expect.any(Number) },
    });
    expect(client.frames[0]).not.toHaveProperty('seq');
  });

  it('answers hello-ok in full to the shared token, and echoes the scopes that were asked for', async () => {
    const client = await open();
    const { ok, payload } = await client.request('connect', connectParams(mesh.token, { scopes: ['operator.read', 'operator.write', 'root'] }));
    expect(ok).toBe(true);
    expect(HelloOk.strict().safeParse(payload).error).toBeUndefined();
    expect(payload.auth).toEqual({ role: 'operator', scopes: ['operator.read', 'operator.write'] });
    expect(payload.features.methods).toContain('chat.send');
    expect(payload.features.capabilities).toContain('plexus-inbox-v1');
    expect(payload.snapshot.sessionDefaults).toEqual({ defaultAgentId: 'main', mainKey: 'main', mainSessionKey: 'agent:main:main', scope: 'per-sender' });
    const attachments = { maxBytes: 2_097_152, maxImageBytes: 5_242_880 };
    expect(payload.policy).toEqual({ maxPayload: 26_214_400, maxBufferedBytes: 4_194_304, tickIntervalMs: 15_000, attachments });
  });

  it('takes the secret in auth.password too, and binary frames with the same JSON', async () => {
    const client = await open();
    client.send(Buffer.from(JSON.stringify({ type: 'req', id: 'c', method: 'connect', params: connectParams(undefined, { auth: { password: mesh.token } }) })));
    expect((await client.response('c')).ok).toBe(true);
  });

  it('grants a JWT no more than its scopes', async () => {
    const client = await open();
    const { payload } = await client.request(
      'connect',
      connectParams(await mesh.jwt({ sub: 'ann', scopes: ['operator.write'] }), { scopes: ['operator.admin', 'operator.read'] }),
    );
    expect(payload.auth.scopes).toEqual(['operator.read']);
  });

  it.each([
    ['a wrong token', async () => 'wrong', 'INVALID_REQUEST', 'AUTH_TOKEN_MISMATCH', 1008],
    ['an expired JWT', () => mesh.jwt({ sub: 'ann' }, -60), 'INVALID_REQUEST', 'AUTH_TOKEN_MISMATCH', 1008],
    ['a JWT whose signature was changed', async () => `${(await mesh.jwt({ sub: 'ann' })).slice(0, -6)}AAAAAA`, 'INVALID_REQUEST', 'AUTH_TOKEN_MISMATCH', 1008],
    ['a JWT of an unknown tenant', () => mesh.jwt({ sub: 'ann', tenant: 'nowhere' }), 'INVALID_REQUEST', 'UNKNOWN_TENANT', 1008],
    ['no token', async () => undefined, 'NOT_PAIRED', 'DEVICE_IDENTITY_REQUIRED', 1008],
  ])('refuses %s', async (_title, token, code, detail, closeCode) => {
    const refused = await refusal(connectParams(await token()));
    expect(refused).toMatchObject({ code, details: { code: detail }, closed: { code: closeCode, reason: refused.message } });
  });

  it('explains a wrong token as clients expect it', async () => {
    const { message, details } = await refusal(connectParams('wrong'));
    expect(message).toMatch(/^unauthorized: gateway token mismatch/);
    expect(details).toEqual({
      code: 'AUTH_TOKEN_MISMATCH',
      authReason: 'token_mismatch',
      canRetryWithDeviceToken: false,
      recommendedNextStep: 'update_auth_credentials',
    });
  });

  it.each([
    [5, 9, 'cli', false],
    [1, 3, 'cli', false],
    [1, 99, 'cli', true],
    [3, 3, 'probe', true],
    [3, 4, 'probe', true],
  ])('protocol %i..%i in mode %s: accepted %s', async (minProtocol, maxProtocol, mode, accepted) => {
    const client = await open();
    const { ok, error } = await client.request(
      'connect',
      connectParams(mesh.token, { minProtocol, maxProtocol, client: { id: 'cli', version: '1', platform: 'x', mode } }),
    );
    expect(ok).toBe(accepted);
    if (accepted) return;
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'protocol mismatch',
      details: { code: 'PROTOCOL_MISMATCH', clientMinProtocol: minProtocol, clientMaxProtocol: maxProtocol, expectedProtocol: 4, minimumProbeProtocol: 3 },
    });
    expect((await client.end()).code).toBe(1002);
  });

  it('names the parameter that is wrong', async () => {
    expect(await refusal({ minProtocol: 4, maxProtocol: 4 })).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('at /client'),
      closed: { code: 1008 },
    });
    expect(await refusal(connectParams(mesh.token, { role: 'king' }))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'invalid role',
      closed: { code: 1008 },
    });
  });

  it('wants connect first', async () => {
    const client = await open();
    expect((await client.request('health')).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'invalid handshake: first request must be connect' });
    expect((await client.end()).code).toBe(1008);
  });

  it('closes with 1000 what is no JSON before the hello', async () => {
    const client = await open();
    client.send('hello?');
    expect(await client.end()).toEqual({ code: 1000, reason: '' });
  });

  it('closes with 1000 and no reason whoever says nothing', async () => {
    const hasty = await mesh.gateway({ GATEWAY_HANDSHAKE_MS: '400' });
    const client = await RawClient.open(hasty.ws);
    clients.push(client);
    expect(await client.end()).toEqual({ code: 1000, reason: '' });
    await hasty.stop();
  });

  it('refuses pages of foreign origins, and lets configured ones and programs in', async () => {
    expect(await refusal(connectParams(mesh.token), { origin: 'https://evil.example' })).toMatchObject({
      details: { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' },
      closed: { code: 1008 },
    });
    for (const origin of ['https://console.example', gateway.http]) {
      const client = await open('', { origin });
      expect((await client.request('connect', connectParams(mesh.token))).ok).toBe(true);
    }
  });

  it('answers 503 to more unauthenticated sockets of one address than the limit', async () => {
    const crowded = await mesh.gateway({ GATEWAY_MAX_UNAUTHENTICATED: '8', GATEWAY_HANDSHAKE_MS: '120000' });
    const enter = async () => {
      const client = await RawClient.open(crowded.ws);
      clients.push(client);
      return client;
    };
    const waiting = await Promise.all(Array.from({ length: 8 }, enter));
    expect((await enter()).refused).toEqual({ status: 503, body: 'Too many unauthenticated sockets' });
    for (const client of waiting) client.close();
    await waitFor(async () => (await enter()).refused === undefined, { what: 'a place for one more' });
    await crowded.stop();
  });

  it('holds a frame before the hello to 64 KiB, and afterwards lets much larger ones pass', async () => {
    const early = await open();
    early.send({ type: 'req', id: 'c', method: 'connect', params: { pad: 'x'.repeat(70_000) } });
    expect((await early.end()).code).toBe(1009);
    const client = await RawClient.connect(gateway.ws, mesh.token);
    clients.push(client);
    expect((await client.request('health', { pad: 'x'.repeat(5_000_000) })).ok).toBe(true);
  });

  it('answers requests that were sent before the hello came, after it', async () => {
    const client = await open();
    client.send({ type: 'req', id: 'c', method: 'connect', params: connectParams(mesh.token) });
    client.send({ type: 'req', id: 'h', method: 'health' });
    expect((await client.response('h')).ok).toBe(true);
    expect(client.frames.findIndex(({ id }) => id === 'c')).toBeLessThan(client.frames.findIndex(({ id }) => id === 'h'));
  });

  it('closes with 1008 when too many frames come before the hello', async () => {
    const client = await open();
    const token = await mesh.jwt({ sub: 'ann' });
    // In one piece, so that they are all there before the signature has been checked.
    client.inOneWrite(() => {
      client.send({ type: 'req', id: 'c', method: 'connect', params: connectParams(token) });
      for (let index = 0; index < 200; index += 1) client.send({ type: 'req', id: `h${index}`, method: 'health' });
    });
    expect(await client.end()).toEqual({ code: 1008, reason: 'too many frames before hello' });
  });

  it('closes the connections of a revoked user and of a revoked credential at once, and lets neither back in', async () => {
    const bucket = await mesh.operator.kv(BUCKETS.revocations);
    const tokens = await Promise.all([mesh.jwt({ sub: 'gone' }), mesh.jwt({ sub: 'stays', jti: 'stolen' }), mesh.jwt({ sub: 'stays', jti: 'fine' })]);
    const connected = await Promise.all(tokens.map((token) => RawClient.connect(gateway.ws, token)));
    clients.push(...connected);
    await bucket.put(userRevocationKey('default', 'gone'), 'left the company');
    await bucket.put(credentialRevocationKey('stolen'), 'lost laptop');
    expect(await connected[0]?.end()).toEqual({ code: 4403, reason: 'revoked' });
    expect(await connected[1]?.end()).toEqual({ code: 4403, reason: 'revoked' });
    expect((await connected[2]?.request('health'))?.ok).toBe(true);
    expect(await refusal(connectParams(tokens[0]))).toMatchObject({ details: { code: 'AUTH_TOKEN_MISMATCH', authReason: 'token_revoked' } });
  });
});
