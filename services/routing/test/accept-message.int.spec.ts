import { routingContracts as rpc } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';

let mesh: RoutingMesh;

beforeAll(async () => {
  mesh = await startRoutingMesh(2, { ROUTING_QUEUE_LIMIT: 3 });
});
afterAll(() => mesh.stop());

const commandsOf = async (sessionId: string) => (await mesh.commands()).filter((command) => command.data.sessionId === sessionId);

test('fifty concurrent accepts under one key on two replicas make one run, one message and one run.start', async () => {
  const ask = () => mesh.call(rpc.acceptMessage, { sessionKey: 'fifty', message: 'hello', idempotencyKey: 'key-50' });
  const answers = await Promise.all(Array.from({ length: 50 }, ask));
  expect(new Set(answers.map((answer) => answer.sessionId)).size).toBe(1);
  expect(answers.filter((answer) => answer.status === 'accepted')).toHaveLength(1);
  expect(answers.filter((answer) => answer.status === 'in_flight')).toHaveLength(49);
  const { sessionId = '' } = answers[0] ?? {};
  await waitFor(async () => (await commandsOf(sessionId)).length > 0, { what: 'run.start' });
  expect(await mesh.database.query('rows', 'SELECT status FROM runs WHERE session_id = $1', [sessionId])).toEqual([{ status: 'started' }]);
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'fifty' })).messages).toMatchObject([{ seq: 1, role: 'user', text: 'hello', runId: 'key-50' }]);
  expect(await commandsOf(sessionId)).toHaveLength(1);
  await waitFor(async () => (await mesh.events('message', sessionId)).length > 0, { what: 'the message in the stream' });
  expect(await mesh.events('message', sessionId)).toHaveLength(1);
});

test('the command carries what the agent is configured to be, and whose it is', async () => {
  const { sessionId } = await mesh.call(rpc.acceptMessage, { message: 'hi', idempotencyKey: 'cfg' });
  await waitFor(async () => (await commandsOf(sessionId)).length === 1);
  expect((await commandsOf(sessionId))[0]).toMatchObject({
    name: 'start',
    data: {
      sessionKey: 'agent:main:main',
      owner: 'ada',
      agentId: 'main',
      runId: 'cfg',
      message: 'hi',
      history: [],
      model: 'test/model',
      systemPrompt: 'Be brief.',
      scopeKey: 'user',
    },
  });
});

test('the same key with another message is a conflict, in the same session and in another', async () => {
  await mesh.call(rpc.acceptMessage, { sessionKey: 'conflict', message: 'one', idempotencyKey: 'c1' });
  await expect(mesh.call(rpc.acceptMessage, { sessionKey: 'conflict', message: 'two', idempotencyKey: 'c1' })).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(mesh.call(rpc.acceptMessage, { sessionKey: 'elsewhere', message: 'one', idempotencyKey: 'c1' })).rejects.toMatchObject({ code: 'CONFLICT' });
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'conflict' })).messages).toHaveLength(1);
});

test('two sessions that race for one key: one gets the run, the other a conflict', async () => {
  const race = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => mesh.call(rpc.acceptMessage, { sessionKey: `race-${index}`, message: 'x', idempotencyKey: 'race' })),
  );
  expect(race.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect(race.filter((result) => result.status === 'rejected' && result.reason.code === 'CONFLICT')).toHaveLength(9);
});

test('one run at a time: further messages wait in order, and the queue is bounded', async () => {
  const send = (n: number) => mesh.call(rpc.acceptMessage, { sessionKey: 'busy', message: `m${n}`, idempotencyKey: `busy-${n}` });
  const { sessionId } = await send(0);
  for (const n of [1, 2, 3]) expect(await send(n)).toMatchObject({ status: 'accepted' });
  await expect(send(4)).rejects.toMatchObject({ code: 'QUEUE_FULL', retryable: true });
  expect(await send(3)).toMatchObject({ status: 'in_flight' });
  await waitFor(async () => (await commandsOf(sessionId)).length > 0);
  expect((await commandsOf(sessionId)).map((command) => command.data.runId)).toEqual(['busy-0']);
  expect((await mesh.call(rpc.getHistory, { sessionKey: 'busy' })).messages.map((message) => [message.seq, message.text])).toEqual([
    [1, 'm0'],
    [2, 'm1'],
    [3, 'm2'],
    [4, 'm3'],
  ]);
});

test('transcripts have no gaps, however many write at once', async () => {
  const writers = Array.from({ length: 40 }, (_, index) =>
    index % 2 === 0
      ? mesh.call(rpc.acceptMessage, { sessionKey: 'gapless', message: `m${index}` }).catch((error) => expect(error.code).toBe('QUEUE_FULL'))
      : mesh.call(rpc.injectMessage, { sessionKey: 'gapless', message: `i${index}` }, admin).catch((error) => expect(error.code).toBe('SESSION_NOT_FOUND')),
  );
  await Promise.all(writers);
  const { messages, totalMessages } = await mesh.call(rpc.getHistory, { sessionKey: 'gapless', limit: 1_000 });
  expect(messages.map((message) => message.seq)).toEqual(Array.from({ length: totalMessages }, (_, index) => index + 1));
  const published = await waitFor(async () => {
    const events = await mesh.events(
      'message',
      messages.length > 0 ? (await mesh.call(rpc.describeSession, { sessionKey: 'gapless' })).session?.sessionId : undefined,
    );
    return events.length === totalMessages ? events : undefined;
  });
  expect(published.map((event) => (event.data.message as { seq: number }).seq)).toEqual(messages.map((message) => message.seq));
});

describe('who may do what', () => {
  test('sessions of two owners and of two tenants under one key are different sessions', async () => {
    const ask = (as: object) => mesh.call(rpc.acceptMessage, { sessionKey: 'private', message: 'mine', idempotencyKey: 'own' }, as);
    const [ada, bob, elsewhere] = await Promise.all([ask({}), ask({ user: 'bob' }), ask({ tenant: 'other' })]);
    expect(new Set([ada.sessionId, bob.sessionId, elsewhere.sessionId]).size).toBe(3);
    expect((await mesh.call(rpc.getHistory, { sessionKey: 'private' }, { user: 'eve' })).messages).toEqual([]);
    expect(await mesh.call(rpc.getRun, { runId: 'own' }, { user: 'eve' })).toEqual({});
    expect(await mesh.call(rpc.cancelRun, { sessionKey: 'private' }, { user: 'eve' })).toEqual({ aborted: false, runIds: [] });
    await expect(mesh.call(rpc.resetSession, { sessionKey: 'private' }, { user: 'eve', ...admin })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect((await mesh.call(rpc.listSessions, {}, { user: 'eve' })).sessions).toEqual([]);
  });

  test('an extra system prompt needs operator.admin', async () => {
    const ask = (scopes: string[], idempotencyKey: string) =>
      mesh.call(rpc.acceptMessage, { sessionKey: 'prompt', message: 'x', extraSystemPrompt: 'obey', idempotencyKey }, { scopes });
    await expect(ask(['operator.write'], 'p1')).rejects.toMatchObject({ code: 'MISSING_SCOPE', details: { scope: 'operator.admin' } });
    await expect(ask(['operator.admin'], 'p2')).resolves.toMatchObject({ status: 'accepted' });
  });

  test.each([
    [{ scopes: ['operator.read'] }, 'MISSING_SCOPE'],
    [{ user: undefined, role: 'operator' as const }, 'FORBIDDEN'],
    [{ role: 'vm' as const }, 'FORBIDDEN'],
    [{ tenant: 'nowhere' }, 'UNKNOWN_TENANT'],
  ])('%j is refused with %s', async (as, code) => {
    await expect(mesh.call(rpc.acceptMessage, { message: 'x' }, as)).rejects.toMatchObject({ code });
  });

  test('a reader may read', async () => {
    await expect(mesh.call(rpc.getHistory, { sessionKey: 'main' }, { scopes: ['operator.read'] })).resolves.toBeDefined();
  });
});

test.each([
  ['a NUL in the message', { message: 'a\u0000b' }, 'INVALID_REQUEST'],
  ['a message that no event can carry', { message: '\u0001'.repeat(199_000) }, 'PAYLOAD_TOO_LARGE'],
  ['a key that names no session', { sessionKey: 'agent:ops:', message: 'x' }, 'INVALID_REQUEST'],
  ['an agent that is not configured', { sessionKey: 'agent:ghost:main', message: 'x' }, 'NOT_FOUND'],
  ['an agent that contradicts the key', { sessionKey: 'agent:ops:main', agentId: 'main', message: 'x' }, 'INVALID_REQUEST'],
])('%s is refused with a code', async (_what, data, code) => {
  await expect(mesh.call(rpc.acceptMessage, data)).rejects.toMatchObject({ code });
});
