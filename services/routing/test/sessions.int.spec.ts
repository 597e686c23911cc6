import { BUCKETS, routingContracts as rpc } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;

beforeAll(async () => {
  mesh = await startRoutingMesh(1);
});
afterAll(() => mesh.stop());

test('create returns the session of that key, new or not; without a key a conversation of its own', async () => {
  const { session, created } = await mesh.call(rpc.createSession, { sessionKey: 'Fan', label: 'Fans' });
  expect([session, created]).toMatchObject([
    { sessionKey: 'agent:main:fan', owner: 'ada', agentId: 'main', kind: 'direct', label: 'Fans', messageCount: 0 },
    true,
  ]);
  expect(await mesh.call(rpc.createSession, { sessionKey: 'agent:main:fan' })).toEqual({ session, created: false });
  const relabelled = await mesh.call(rpc.createSession, { sessionKey: 'fan', label: 'Friends' });
  expect(relabelled).toMatchObject({ created: false, session: { label: 'Friends', sessionId: session.sessionId } });
  const [one, two] = [await mesh.call(rpc.createSession, { agentId: 'ops' }), await mesh.call(rpc.createSession, { agentId: 'ops' })];
  expect(one.session.sessionKey).toMatch(/^agent:ops:[0-9a-z]{26}$/);
  expect(two.session.sessionKey).not.toBe(one.session.sessionKey);
  await waitFor(async () => (await mesh.events('changed', session.sessionId)).length === 2);
  expect((await mesh.events('changed', session.sessionId)).map(({ data }) => data.change)).toEqual(['created', 'updated']);
});

test('describe canonicalises a key, whether the session exists or not', async () => {
  expect(await mesh.call(rpc.describeSession, { sessionKey: 'Nothing' })).toEqual({ sessionKey: 'agent:main:nothing' });
  await mesh.call(rpc.acceptMessage, { sessionKey: 'described', message: 'hello', idempotencyKey: 'd1' });
  expect(await mesh.call(rpc.describeSession, { sessionKey: 'AGENT:main:described' })).toMatchObject({
    sessionKey: 'agent:main:described',
    session: { messageCount: 1, activeRunId: 'd1', lastMessage: { seq: 1, role: 'user', text: 'hello' } },
  });
});

test('lists are of the caller, newest use first, searched, filtered and paged', async () => {
  const as = { user: 'lister' };
  for (const key of ['alpha', 'beta', 'gamma']) await mesh.call(rpc.acceptMessage, { sessionKey: key, message: `in ${key}` }, as);
  await mesh.call(rpc.createSession, { sessionKey: 'delta', agentId: 'ops', label: 'ALPHA team' }, as);
  const keys = async (query: object) => (await mesh.call(rpc.listSessions, query, as)).sessions.map(({ sessionKey }) => sessionKey);
  expect(await keys({})).toEqual(['agent:ops:delta', 'agent:main:gamma', 'agent:main:beta', 'agent:main:alpha']);
  expect(await keys({ search: 'alpha' })).toEqual(['agent:ops:delta', 'agent:main:alpha']);
  for (const agentId of ['ops', 'OPS', ' Ops ']) expect(await keys({ agentId })).toEqual(['agent:ops:delta']);
  expect(await mesh.call(rpc.listSessions, { limit: 2, offset: 1, includeLastMessage: true }, as)).toMatchObject({
    totalCount: 4,
    hasMore: true,
    sessions: [{ lastMessage: { text: 'in gamma' } }, { lastMessage: { text: 'in beta' } }],
  });
  await mesh.call(rpc.acceptMessage, { sessionKey: 'alpha', message: 'x'.repeat(10_000) }, as);
  const [first] = (await mesh.call(rpc.listSessions, { includeLastMessage: true }, as)).sessions;
  expect(first).toMatchObject({ sessionKey: 'agent:main:alpha', messageCount: 2 });
  expect(first?.lastMessage?.text.length).toBeLessThan(500);
});

test('history pages backwards without gaps, and one page always fits into an answer', async () => {
  const sessionKey = 'long';
  await mesh.call(rpc.createSession, { sessionKey });
  const large = 'ä'.repeat(100_000);
  for (let n = 1; n <= 8; n += 1) await mesh.call(rpc.injectMessage, { sessionKey, message: `${n}${large}` }, admin);
  const seqs: number[] = [];
  let before: number | undefined;
  for (let hasMore = true; hasMore; ) {
    const page = await mesh.call(rpc.getHistory, { sessionKey, ...(before === undefined ? {} : { before }) });
    expect(page.totalMessages).toBe(8);
    expect(page.messages.length).toBeGreaterThan(0);
    seqs.unshift(...page.messages.map(({ seq }) => seq));
    hasMore = page.hasMore;
    before = page.messages[0]?.seq;
  }
  expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect((await mesh.call(rpc.getHistory, { sessionKey, limit: 1, before: 4 })).messages.map(({ seq }) => seq)).toEqual([3]);
});

test('what is too much for one command is left out of its history, oldest first', async () => {
  const sessionKey = 'heavy';
  await mesh.call(rpc.createSession, { sessionKey });
  for (let n = 1; n <= 4; n += 1) await mesh.call(rpc.injectMessage, { sessionKey, message: `${n}${'x'.repeat(100_000)}` }, admin);
  const { sessionId } = await mesh.call(rpc.acceptMessage, { sessionKey, message: 'go' });
  const start = await waitFor(async () => (await mesh.commands()).find(({ data }) => data.sessionId === sessionId));
  expect(start.data.history.map(({ text }) => text[0])).toEqual(['3', '4']);
});

test('agents, routes and the session of a user come from the tenant configuration', async () => {
  expect(await mesh.call(rpc.listAgents, {})).toEqual({
    defaultAgentId: 'main',
    agents: [
      { id: 'main', model: 'test/model' },
      { id: 'ops', name: 'Ops' },
    ],
  });
  expect(await mesh.call(rpc.sessionForUser, {})).toEqual({ sessionKey: 'agent:main:main', agentId: 'main' });
  expect(await mesh.call(rpc.sessionForUser, { agentId: 'ops' })).toEqual({ sessionKey: 'agent:ops:main', agentId: 'ops' });
  expect(await mesh.call(rpc.resolveRoute, { channel: 'Telegram', peer: { kind: 'group', id: '-1' } })).toMatchObject({
    agentId: 'main',
    channel: 'telegram',
    accountId: 'default',
    sessionKey: 'agent:main:telegram:group:-1',
    mainSessionKey: 'agent:main:main',
    matchedBy: 'default',
  });
});

test('a changed configuration is what the next run and route go by', async () => {
  const kv = await mesh.bus.kv(BUCKETS.config);
  await kv.put('other', {
    agents: { list: [{ id: 'solo', model: 'new/model' }] },
    bindings: [{ agentId: 'solo', match: { channel: 'slack', accountId: '*' } }],
  });
  const as = { tenant: 'other' };
  await waitFor(async () => (await mesh.call(rpc.listAgents, {}, as)).defaultAgentId === 'solo');
  expect(await mesh.call(rpc.resolveRoute, { channel: 'slack', accountId: 'x' }, as)).toMatchObject({ agentId: 'solo', matchedBy: 'binding.channel' });
  const { sessionId, agentId } = await mesh.call(rpc.acceptMessage, { message: 'hi' }, as);
  expect(agentId).toBe('solo');
  const start = await waitFor(async () => (await mesh.commands()).find(({ data }) => data.sessionId === sessionId));
  expect(start.data.model).toBe('new/model');
});

test('a replica is ready only at the right version of the database, and says what to run', async () => {
  await mesh.database.script("UPDATE _prisma_migrations SET checksum = 'changed'");
  try {
    const replica = await mesh.addReplica();
    const answer = await fetch(`${replica.internalUrl}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('plexus db migrate');
  } finally {
    await mesh.database.script('DELETE FROM _prisma_migrations');
  }
});
