import { type InputOf, plexusError, type Principal, routingContracts as routing, sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { RawClient } from './support/raw-client.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

let mesh: TestMesh;
let gateway: TestGateway;
const asked: { rpc: string; data: Record<string, unknown>; principal: Principal }[] = [];
const sendId = ulid();
let outcome: 'sent' | 'failed' = 'sent';

let tell: (data: InputOf<typeof sessionContracts.sessionChanged>) => Promise<unknown>;

const summary = (status: routing.SendSummary['status']): routing.SendSummary => ({
  ...{ sendId, status, channel: 'telegram', accountId: 'work', to: '42', attempts: 1, createdAt: new Date().toISOString(), sessionKey: 'agent:main:main' },
  ...(status === 'sent' ? { messageId: 'm-1' } : {}),
  ...(status === 'failed' ? { error: { code: 'DELIVERY_FAILED', message: 'chat not found' } } : {}),
});
const session: routing.SessionSummary = {
  ...{ sessionKey: 'agent:main:fan', sessionId: ulid(), owner: 'me', agentId: 'main', kind: 'other', messageCount: 1 },
  ...{ createdAt: new Date().toISOString(), updatedAt: new Date().toISOString() },
};

beforeAll(async () => {
  mesh = await TestMesh.start();
  const bus = await mesh.standIn('routing');
  const note = (rpc: string, data: object, principal: Principal) => void asked.push({ rpc, data: data as Record<string, unknown>, principal });
  bus.serve(routing.sendMessage, async (data, { principal }) => {
    note('send', data, principal);
    return { send: summary('waiting'), cached: false };
  });
  bus.serve(routing.getSend, async () => ({ send: summary(outcome) }));
  bus.serve(routing.patchSession, async (data, { principal }) => {
    note('patch', data, principal);
    return { session };
  });
  bus.serve(routing.deleteSession, async ({ sessionKey }) => ({ sessionKey, deleted: true }));
  bus.serve(routing.previewSessions, async ({ sessionKeys }) => ({
    previews: sessionKeys.map((sessionKey) => ({ sessionKey, status: 'empty' as const, messages: [] })),
  }));
  bus.serve(routing.shareSession, async ({ sessionKey, grantee, access }, { principal }) => {
    if (grantee === 'me') throw plexusError('INVALID_REQUEST');
    return { sessionKey, grant: { grantee, access, grantedBy: principal.user ?? '', grantedAt: new Date().toISOString() } };
  });
  bus.serve(routing.sessionAccess, async ({ sessionKey, owner = 'me' }, { principal }) => {
    const name = sessionKey.replace('agent:main:', '');
    const access = owner === principal.user ? ('owner' as const) : name === 'shared' ? ('read' as const) : ('none' as const);
    return { sessionKey: `agent:main:${name}`, owner, access };
  });
  bus.serve(routing.describeSession, async (data, { principal }) => {
    note('describe', data, principal);
    throw plexusError('SESSION_NOT_FOUND');
  });
  bus.serve(routing.channelHealth, async ({ channel }) => ({
    accounts: [
      { channel: 'telegram', accountId: 'work', breaker: 'closed' as const, score: 1, failures: 0, lastSuccessAt: new Date(5_000).toISOString() },
      { channel: 'slack', accountId: 'team', breaker: 'open' as const, score: 0, failures: 9 },
    ].filter((account) => channel === undefined || account.channel === channel),
  }));
  publish = (owner, text) => {
    const message = { messageId: ulid(), seq: 1, role: 'user' as const, text, at: new Date().toISOString() };
    const data = { sessionId: session.sessionId, sessionKey: 'agent:main:shared', owner, agentId: 'main', message };
    return bus.publish(sessionContracts.sessionMessage, { tenant: 'default', key: [session.sessionId], data, id: message.messageId });
  };
  tell = (data) => bus.publish(sessionContracts.sessionChanged, { tenant: 'default', key: [data.sessionId], data, id: ulid() });
  gateway = await mesh.gateway();
});
afterAll(() => mesh.stop());

const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(`${gateway.http}${path}`, {
    method,
    headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

let publish: (owner: string, text: string) => Promise<unknown>;

const withClient = async <T>(work: (client: RawClient) => Promise<T>): Promise<T> => {
  const client = await RawClient.connect(gateway.ws, mesh.token, {});
  try {
    return await work(client);
  } finally {
    client.close();
  }
};

test('a client that sends hears the outcome, and a refusal as an error', async () => {
  const params = { channel: 'telegram', to: '42', message: 'hi', mediaUrl: 'https://x/a.png', idempotencyKey: 'k1' };
  outcome = 'sent';
  expect((await withClient((client) => client.request('send', params))).payload).toMatchObject({
    runId: 'k1',
    status: 'sent',
    messageId: 'm-1',
    channel: 'telegram',
  });
  expect(asked.at(-1)).toMatchObject({ rpc: 'send', data: { text: 'hi', attachments: [{ kind: 'file', url: 'https://x/a.png' }] }, principal: { user: 'me' } });
  outcome = 'failed';
  expect(await withClient((client) => client.request('send', params))).toMatchObject({ ok: false, error: { message: 'chat not found' } });
});

test('a message action is the same send, in the words of the openclaw program; actions that channels do not have are refused', async () => {
  outcome = 'sent';
  const action = (action: string, params: object, more: object = {}) =>
    withClient((client) => client.request('message.action', { channel: 'telegram', action, params, idempotencyKey: 'k2', ...more }));
  expect(
    (
      await action(
        'send',
        { target: '42', message: 'hi', media: 'https://x/a.png', threadId: '7' },
        { accountId: 'work', reply: { replyToId: 'm0', source: 'explicit' } },
      )
    ).payload,
  ).toMatchObject({
    runId: 'k2',
    status: 'sent',
    messageId: 'm-1',
  });
  expect(asked.at(-1)?.data).toMatchObject({
    ...{ channel: 'telegram', to: '42', text: 'hi', idempotencyKey: 'k2', accountId: 'work', threadId: '7', replyToId: 'm0' },
    attachments: [{ kind: 'file', url: 'https://x/a.png' }],
  });
  expect(await action('poll', { target: '42' })).toMatchObject({
    ok: false,
    error: { code: 'INVALID_REQUEST', details: { action: 'poll', code: 'INVALID_REQUEST' } },
  });
  expect(await action('send', { message: 'hi' })).toMatchObject({ ok: false, error: { message: expect.stringContaining('target') } });
});

test('channels and their accounts are listed as clients of OpenClaw expect it', async () => {
  await withClient(async (client) => {
    expect((await client.request('channels.status', { probe: false, timeoutMs: 5_000 })).payload).toMatchObject({
      channelOrder: ['telegram', 'slack'],
      channels: { telegram: { running: true }, slack: { running: false } },
      channelAccounts: { telegram: [{ accountId: 'work', lastOutboundAt: 5_000 }], slack: [{ accountId: 'team', healthState: 'failing' }] },
    });
    expect((await client.request('channels.status', { channel: 'slack' })).payload.channelOrder).toEqual(['slack']);
  });
});

test('sessions are relabelled, previewed and deleted over the socket', async () => {
  await withClient(async (client) => {
    expect((await client.request('sessions.patch', { key: 'fan', label: null })).payload).toMatchObject({ ok: true, key: 'agent:main:fan' });
    expect(asked.at(-1)?.data).toEqual({ sessionKey: 'fan', label: null });
    expect(await client.request('sessions.patch', { key: 'fan' })).toMatchObject({ ok: false });
    expect((await client.request('sessions.preview', { keys: ['a'] })).payload).toMatchObject({ previews: [{ key: 'a', status: 'empty', items: [] }] });
    expect((await client.request('sessions.delete', { key: 'fan' })).payload).toEqual({ ok: true, key: 'fan', deleted: true });
  });
});

test('sending over HTTP needs an idempotency key and is answered before the outcome', async () => {
  const body = { channel: 'telegram', to: '42', text: 'hi' };
  expect(await call('POST', '/v1/send', body)).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
  expect(await call('POST', '/v1/send', body, { 'idempotency-key': 'k2' })).toMatchObject({ status: 202, body: { send: { sendId, status: 'waiting' } } });
  outcome = 'sent';
  expect(await call('GET', `/v1/sends/${sendId}`)).toMatchObject({ status: 200, body: { send: { status: 'sent' } } });
  expect(await call('GET', '/v1/sends/nonsense')).toMatchObject({ status: 400 });
});

test('sessions are shared over HTTP, and errors of routing keep their status', async () => {
  expect(await call('POST', '/v1/sessions/main/grants', { grantee: 'bob', access: 'write' })).toMatchObject({
    status: 200,
    body: { grant: { grantee: 'bob', access: 'write' } },
  });
  expect(await call('POST', '/v1/sessions/main/grants', { grantee: 'me' })).toMatchObject({ status: 400 });
  expect(await call('POST', '/v1/sessions/main/grants', { grantee: 'bob', access: 'own' })).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
});

test('the stream of a session of somebody else is asked for under its owner, and refused when it is not shared', async () => {
  expect(await call('GET', '/v1/sessions/main/stream?owner=ada')).toMatchObject({ status: 404, body: { code: 'SESSION_NOT_FOUND' } });
  expect(asked.at(-1)).toMatchObject({ rpc: 'describe', data: { sessionKey: 'main', owner: 'ada' } });
});

test('a socket follows a session that is shared with its user, and sees nothing of one that is not', async () => {
  await withClient(async (client) => {
    expect(await client.request('sessions.messages.subscribe', { key: 'private', owner: 'ada' })).toMatchObject({ ok: false });
    expect((await client.request('sessions.messages.subscribe', { key: 'shared', owner: 'ada' })).payload).toEqual({
      subscribed: true,
      key: 'agent:main:shared',
      owner: 'ada',
    });
    await publish('eve', 'not for you');
    await publish('ada', 'for you');
    const seen = await client.event('session.message');
    expect(client.events('session.message')).toHaveLength(1);
    expect(seen.payload).toMatchObject({ owner: 'ada', sessionKey: 'agent:main:shared', message: { content: [{ text: 'for you' }] } });
    expect((await client.request('sessions.messages.unsubscribe', { key: 'shared', owner: 'ada' })).payload).toMatchObject({ subscribed: false });
  });
});

test('a socket sees no more of a session once the grant of its user is taken back', async () => {
  await withClient(async (client) => {
    await client.request('sessions.messages.subscribe', { key: 'shared', owner: 'ada' });
    const change = { sessionId: session.sessionId, sessionKey: 'agent:main:shared', owner: 'ada', agentId: 'main', change: 'updated' as const };
    await client.request('sessions.messages.subscribe', { key: 'shared', owner: 'zoe' });
    await tell({ ...change, revokedFrom: 'bob' });
    await publish('ada', 'still for you');
    await tell({ ...change, revokedFrom: 'me' });
    await publish('ada', 'not for you any more');
    await publish('zoe', 'the last one');
    const seen = () => client.events('session.message').map(({ payload }) => JSON.stringify(payload));
    await waitFor(() => seen().some((payload) => payload.includes('the last one')), { timeoutMs: 60_000, what: 'the last message' });
    expect(seen()).toHaveLength(2);
    expect(seen()[0]).toContain('still for you');
  });
});
