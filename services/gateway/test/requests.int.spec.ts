import type { Serving } from '@plexus/bus';
import { GatewayClient } from '@plexus/client-protocol';
import { memoryContracts, skillContracts, vmContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import { PushStandIn } from './support/push-stand-in.js';
import { type Frame, RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

const GREET = {
  ...{ id: 'greet', name: 'Greet', description: 'Greets.', version: '1.0.0', source: 'builtin' as const, hash: 'x', bytes: 1, files: 1 },
  inventory: { has_skill_md: true, has_scripts: false, has_references: false, script_files: [], reference_files: [] },
  requires: { binaries: ['curl'], env_vars: [] },
};

describe('requests of clients', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let routing: RoutingStandIn;
  let search: Serving;
  let serveSearch: () => void;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus, memoryBus, schedulerBus] = await Promise.all([
      mesh.standIn('routing'),
      mesh.standIn('push'),
      mesh.standIn('memory'),
      mesh.standIn('scheduler'),
    ]);
    routing = new RoutingStandIn(routingBus);
    new PushStandIn(pushBus);
    memoryBus.serve(memoryContracts.writeMemory, async () => ({ id: 'mem_1', result: 'created' as const, embedding: 'none' as const }));
    serveSearch = () => {
      search = memoryBus.serve(memoryContracts.searchMemory, async () => ({ hits: [], mode: 'text' as const, semantic: false, tookMs: 1 }));
    };
    serveSearch();
    schedulerBus.serve(vmContracts.listVms, async () => ({ vms: [] }));
    schedulerBus.serve(vmContracts.usageByDay, async ({ to, sessionId = 'before-a-reset' }) => ({
      rows: [{ day: to, sessionId, model: 'big/one', calls: 2, tokensIn: 5, tokensOut: 7, lastAt: '2026-11-21T10:00:00.000Z' }],
      more: false,
    }));
    schedulerBus.serve(skillContracts.listSkills, async () => ({ skills: [GREET] }));
    gateway = await mesh.gateway({ GATEWAY_MAX_REQUESTS: '4' });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      expect(client.violations).toEqual([]);
      client.close();
    }
  });
  afterAll(() => mesh?.stop());

  async function connect(connect: Record<string, unknown> = {}, token = mesh.token): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, token, connect);
    clients.push(client);
    return client;
  }

  it.each([
    ['health', undefined, { ok: true, defaultAgentId: 'main' }],
    ['status', {}, { runtimeVersion: '0.1.0', counters: { sessions: { stale: 0 }, vms: { badFrames: 0 } } }],
    ['sessions.list', {}, { path: 'plexus', defaults: { agentId: 'main', mainKey: 'main' } }],
    ['sessions.list', undefined, { hasMore: false }],
    ['sessions.create', { key: 'fan' }, { ok: true, key: 'agent:main:fan', runStarted: false }],
    ['sessions.create', { key: 'fan2', message: 'hi' }, { ok: true, runStarted: true }],
    ['sessions.describe', { key: 'fan' }, { key: 'agent:main:fan', session: { key: 'agent:main:fan' } }],
    ['sessions.resolve', { key: 'fan' }, { ok: true, key: 'agent:main:fan' }],
    ['sessions.reset', { key: 'fan' }, { ok: true, key: 'agent:main:fan' }],
    ['sessions.subscribe', {}, { subscribed: true }],
    ['sessions.messages.subscribe', { key: 'fan' }, { subscribed: true, key: 'agent:main:fan' }],
    ['sessions.messages.unsubscribe', { key: 'fan' }, { subscribed: false, key: 'agent:main:fan' }],
    ['chat.inject', { sessionKey: 'fan', message: 'note', label: 'ci' }, { ok: true, messageId: expect.any(String) }],
    ['chat.abort', { sessionKey: 'fan', runId: 'r' }, { ok: true, aborted: true, runIds: ['r'] }],
    ['sessions.send', { key: 'fan', message: 'hi', idempotencyKey: 'send-1' }, { runId: 'send-1', sessionKey: 'agent:main:fan', status: 'started' }],
    ['sessions.steer', { key: 'fan', message: 'no, this' }, { runId: expect.any(String), status: 'started' }],
    ['sessions.abort', { key: 'fan', runId: 'r' }, { ok: true, abortedRunId: 'r', status: 'aborted' }],
    ['agents.list', {}, { defaultId: 'main', mainKey: 'main', agents: [{ id: 'main' }] }],
    ['models.list', { includeDetails: true, view: 'default' }, { models: [{ id: 'big/one', provider: 'big', available: true, tags: ['default'] }] }],
    ['agent.identity.get', {}, { agentId: 'main' }],
    ['agent.identity.get', { agentId: ' Main ' }, { agentId: 'main' }],
    ['agent.identity.get', { sessionKey: 'Agent:MAIN:x' }, { agentId: 'main' }],
    ['config.schema', {}, { schema: { type: 'object', properties: { agents: expect.any(Object) } }, uiHints: {}, version: expect.any(String) }],
    ['skills.status', {}, { skills: [{ name: 'Greet', skillKey: 'greet', bundled: true, eligible: true, requirements: { bins: ['curl'], env: [] } }] }],
    ['usage.status', {}, { updatedAt: expect.any(Number), providers: [] }],
    ['usage.cost', { days: 7 }, { days: 7, daily: [{ totalTokens: 12 }], totals: { input: 5, output: 7, totalTokens: 12, missingCostEntries: 2 } }],
    ['sessions.usage', {}, { sessions: [{ key: 'before-a-reset', usage: { totalTokens: 12 } }], totals: { totalTokens: 12 } }],
    ['sessions.usage', { key: 'fan' }, { sessions: [{ key: 'agent:main:fan' }], aggregates: { byModel: [{ provider: 'big', model: 'big/one', count: 2 }] } }],
    ['question.list', {}, { questions: [] }],
    ['device.pair.list', {}, { pending: [], paired: [] }],
    ['commands.list', {}, { commands: [] }],
    ['inbox.list', {}, { epoch: 'epoch-1', items: [] }],
    ['inbox.ack', { offset: 0 }, { ok: true }],
    ['inbox.mark', { ids: ['a'], state: 'read' }, { ok: true, changed: 0 }],
    ['push.subscribe', { scopeKind: 'case', scopeRef: 'case-7' }, { created: true, subscription: { scopeRef: 'case-7', user: 'me' } }],
    ['push.unsubscribe', { id: 'sub_1' }, { removed: true }],
    ['push.subscriptions', {}, { subscriptions: [] }],
    ['memory.write', { content: 'x' }, { id: 'mem_1' }],
    ['memory.search', { query: 'x' }, { hits: [] }],
    ['wake', { mode: 'now', text: 'look' }, { ok: true, mode: 'now' }],
    ['wake', { mode: 'next-heartbeat', text: 'look', sessionKey: 'fan' }, { ok: true, mode: 'next-heartbeat' }],
    ['vms.list', undefined, { vms: [] }],
  ])('%s %j is answered by its owner', async (method, params, expected) => {
    const client = await connect();
    await client.request('sessions.create', { key: 'fan' });
    expect(await client.request(method, params)).toMatchObject({ ok: true, payload: expected });
  });

  it('shows its log to the token of the deployment, and to nobody else', async () => {
    const operator = await connect();
    expect((await operator.request('logs.tail', { limit: 5 })).payload).toMatchObject({
      file: expect.stringMatching(/\.log$/),
      cursor: expect.any(Number),
      lines: expect.any(Array),
    });
    const admin = await connect({}, await mesh.jwt({ sub: 'ann', scopes: ['operator.admin'] }));
    expect((await admin.request('logs.tail', {})).error?.details).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('lists its own presence, and that of the whole tenant only to an administrator', async () => {
    const user = await connect({ scopes: ['operator.read'] }, await mesh.jwt({ sub: 'ann' }));
    const admin = await connect();
    await waitFor(async () => (await user.request('system-presence')).payload.length === 1, { what: 'only its own connection' });
    expect((await user.request('system-presence')).payload).toEqual([expect.objectContaining({ user: 'ann', ts: expect.any(Number) })]);
    // Connections of tests before this one may still be on their way out.
    const users = async () => (await admin.request('system-presence')).payload.map(({ user: name }: { user: string }) => name).sort();
    await waitFor(async () => JSON.stringify(await users()) === '["ann","me"]', { what: 'both connections and no other' });
  });

  it('accepts a message once per idempotency key, and answers a repeat with the state of the run', async () => {
    const client = await connect();
    const params = { sessionKey: 'main', message: 'Hello', idempotencyKey: 'k-1' };
    expect((await client.request('chat.send', params)).payload).toMatchObject({ runId: 'k-1', status: 'started' });
    expect((await client.request('chat.send', params)).payload).toMatchObject({ runId: 'k-1', status: 'in_flight' });
    routing.close('k-1', { text: 'Hi!' });
    expect((await client.request('chat.send', params)).payload).toMatchObject({
      runId: 'k-1',
      status: 'ok',
      message: { role: 'assistant', content: [{ type: 'text', text: 'Hi!' }] },
    });
  });

  describe('of one connection about one session', () => {
    /** Holds the next message at routing until it is let go. */
    function hold(): () => void {
      let letGo: () => void = () => undefined;
      routing.acceptGates.push(
        new Promise((resolve) => {
          letGo = resolve;
        }),
      );
      return () => letGo();
    }
    const text = (client: RawClient, id: string, sessionKey: string, message: string) =>
      client.send({ type: 'req', id, method: 'chat.send', params: { sessionKey, message, idempotencyKey: `${sessionKey}-${id}` } });

    it('reach it in the order in which they were sent: messages, stops, resets and deletions; other sessions do not wait', async () => {
      const client = await connect();
      await client.request('sessions.create', { key: 'turns' });
      routing.changes.length = 0;
      const letGo = hold();
      text(client, 'one', 'turns', 'one');
      text(client, 'two', 'agent:main:turns', 'two');
      client.send({ type: 'req', id: 'three', method: 'sessions.reset', params: { key: 'turns' } });
      await waitFor(() => routing.changes.length === 1, { what: 'the first message at routing' });
      expect((await client.request('chat.send', { sessionKey: 'elsewhere', message: 'beside', idempotencyKey: 'beside' })).ok).toBe(true);
      expect(routing.changes).toEqual(['message one', 'message beside']);
      client.send({ type: 'req', id: 'four', method: 'sessions.delete', params: { key: 'agent:main:turns' } });
      letGo();
      for (const id of ['one', 'two', 'three', 'four']) expect((await client.response(id)).ok).toBe(true);
      expect(routing.changes).toEqual(['message one', 'message beside', 'message two', 'reset', 'delete']);
    });

    it('are said although the client has gone', async () => {
      const client = await RawClient.connect(gateway.ws, mesh.token);
      const letGo = hold();
      text(client, 'first', 'leaving', 'first');
      text(client, 'second', 'leaving', 'second');
      await waitFor(() => routing.changes.includes('message first'), { what: 'the first message at routing' });
      client.close();
      letGo();
      await waitFor(() => routing.accepted.some(({ data }) => data.message === 'second'), { what: 'the second message at routing' });
    });
  });

  it('passes on who the caller is, from the credential and not from the request', async () => {
    const client = await connect({ scopes: ['operator.write'] }, await mesh.jwt({ sub: 'ann', jti: 'cred-1' }));
    await client.request('chat.send', { sessionKey: 'main', message: 'x', idempotencyKey: 'k-2', user: 'bob', tenant: 'other', owner: 'bob' });
    expect(routing.accepted.at(-1)?.principal).toMatchObject({
      tenant: 'default',
      user: 'ann',
      role: 'user',
      scopes: ['operator.write'],
      credentialId: 'cred-1',
    });
  });

  it('pages through a history backwards, and cuts long texts when asked', async () => {
    const session = routing.ensure({ tenant: 'default', user: 'me' }, 'agent:main:long');
    for (let index = 1; index <= 7; index += 1) routing.append(session, index % 2 === 0 ? 'assistant' : 'user', `message ${index}`);
    const client = await connect();
    const texts = ({ payload }: Frame) => payload.messages.map(({ content }: { content: { text: string }[] }) => content[0]?.text);
    const first = await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 3 });
    expect(texts(first)).toEqual(['message 5', 'message 6', 'message 7']);
    expect(first.payload).toMatchObject({ sessionKey: 'agent:main:long', hasMore: true, totalMessages: 7, nextCursor: '5' });
    expect(first.payload.messages[0]).toMatchObject({ role: 'user', content: [{ type: 'text', text: 'message 5' }], timestamp: expect.any(Number) });
    expect(texts(await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 3, cursor: first.payload.nextCursor }))).toEqual([
      'message 2',
      'message 3',
      'message 4',
    ]);
    expect(texts(await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 3, offset: 6 }))).toEqual(['message 1']);
    expect(texts(await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 3, offset: 7 }))).toEqual([]);
    expect(texts(await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 1, maxChars: 4 }))).toEqual(['mess']);
    expect((await client.request('chat.history', { sessionKey: 'agent:main:long', cursor: 'x' })).error?.code).toBe('INVALID_REQUEST');
    const { messageId } = first.payload.messages[0];
    const around = await client.request('chat.history', { sessionKey: 'agent:main:long', limit: 3, messageId });
    expect(texts(around)).toEqual(['message 4', 'message 5', 'message 6']);
    expect(around.payload.messages[1].messageId).toBe(messageId);
    expect((await client.request('chat.history', { sessionKey: 'agent:main:long', messageId: 'nobody' })).error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { code: 'NOT_FOUND', messageId: 'nobody' },
    });
  });

  it('answers an agent call twice: accepted, then the result', async () => {
    const client = await connect();
    const accepted = await client.request('agent', { message: 'work', idempotencyKey: 'a-1', sessionKey: 'agent:main:job' }, 'agent-1');
    expect(accepted.payload).toMatchObject({ runId: 'a-1', sessionKey: 'agent:main:job', status: 'accepted', acceptedAt: expect.any(Number) });
    await routing.answer(routing.ensure({ tenant: 'default', user: 'me' }, 'agent:main:job'), 'a-1', ['do', 'ne']);
    expect((await client.response('agent-1', 1)).payload).toMatchObject({ runId: 'a-1', status: 'ok', result: { payloads: [{ text: 'done' }] } });
  });

  it('says how a run went that ended before anybody asked, that goes on, or that does not exist', async () => {
    const client = await connect();
    await client.request('chat.send', { sessionKey: 'agent:main:job', message: 'x', idempotencyKey: 'w-1' });
    expect((await client.request('agent.wait', { runId: 'w-1', timeoutMs: 20 })).payload).toEqual({ runId: 'w-1', status: 'timeout' });
    routing.close('w-1', { status: 'error', error: { code: 'VM_LOST', message: 'gone' } });
    expect((await client.request('agent.wait', { runId: 'w-1' })).payload).toMatchObject({
      runId: 'w-1',
      status: 'error',
      error: 'gone',
      endedAt: expect.any(Number),
    });
    expect((await client.request('agent.wait', { runId: 'nothing' })).error).toMatchObject({ code: 'INVALID_REQUEST', details: { code: 'RUN_NOT_FOUND' } });
  });

  it('serves the client of this repository: stream, history, inject, reset', async () => {
    const client = new GatewayClient({ url: gateway.ws, token: mesh.token });
    try {
      await client.connect({ timeoutMs: 60_000 });
      const stream = client.chatSend({ sessionKey: 'agent:main:mine', message: 'Hello', idempotencyKey: 'g-1' });
      const session = routing.ensure({ tenant: 'default', user: 'me' }, 'agent:main:mine');
      const pieces = (async () => {
        let text = '';
        for await (const piece of stream) text = piece.type === 'delta' && !piece.replace ? text + piece.text : piece.text;
        return text;
      })();
      await waitFor(() => routing.runs.has('g-1'));
      await routing.answer(session, 'g-1', ['One ', 'two ', 'three']);
      expect(await pieces).toBe('One two three');
      expect(await client.history('agent:main:mine')).toMatchObject({ messages: [{ role: 'user' }] });
      expect(await client.inject('agent:main:mine', 'note')).toMatchObject({ ok: true });
      expect(await client.reset('agent:main:mine')).toMatchObject({ ok: true });
    } finally {
      client.close();
    }
  });

  describe('that cannot be answered', () => {
    it.each<[string, string, unknown, Record<string, unknown>]>([
      ['an unknown method', 'do.it', {}, { code: 'INVALID_REQUEST', message: 'unknown method: do.it' }],
      ['a name of an object property', 'constructor', {}, { code: 'INVALID_REQUEST', message: 'unknown method: constructor' }],
      ['a second connect', 'connect', {}, { code: 'INVALID_REQUEST', message: 'connect is only valid as the first request' }],
      [
        'wrong parameters',
        'chat.send',
        { sessionKey: 'main', message: 7, idempotencyKey: 'x' },
        { message: expect.stringMatching(/^invalid chat\.send params: at \/message: /) },
      ],
      ['missing parameters', 'chat.send', undefined, { message: expect.stringContaining('at /sessionKey') }],
      [
        'attachments',
        'chat.send',
        { sessionKey: 'main', message: 'x', idempotencyKey: 'y', attachments: [{}] },
        { message: expect.stringContaining('attachments') },
      ],
      ['an agent that is not there', 'agent.identity.get', { agentId: 'nobody' }, { details: { code: 'NOT_FOUND', agentId: 'nobody' } }],
      ['neither session nor run', 'sessions.abort', {}, { message: expect.stringContaining('give key or runId') }],
      ['a session to send to that is not there', 'sessions.send', { key: 'nowhere', message: 'x' }, { message: 'session not found' }],
      [
        'an unknown session',
        'chat.inject',
        { sessionKey: 'nowhere', message: 'x' },
        { code: 'INVALID_REQUEST', message: 'session not found', details: { code: 'SESSION_NOT_FOUND' } },
      ],
    ])('%s is explained, and the connection lives', async (_title, method, params, error) => {
      const client = await connect();
      expect((await client.request(method, params)).error).toMatchObject({ code: 'INVALID_REQUEST', ...error });
      expect((await client.request('health')).ok).toBe(true);
    });

    it('names the scope that is missing', async () => {
      const client = await connect({ scopes: ['operator.read'] });
      for (const [method, scope] of [
        ['chat.send', 'operator.write'],
        ['chat.inject', 'operator.admin'],
        ['sessions.reset', 'operator.admin'],
        ['memory.write', 'operator.write'],
      ]) {
        expect((await client.request(method as string, {})).error).toEqual({
          code: 'FORBIDDEN',
          message: `missing scope: ${scope}`,
          details: { code: 'MISSING_SCOPE', missingScope: scope, requiredScopes: [scope] },
        });
      }
    });

    it('answers health without any scope, and nothing else', async () => {
      const client = await connect({ scopes: [] });
      expect((await client.request('health')).ok).toBe(true);
      expect((await client.request('status')).error?.details).toMatchObject({ code: 'MISSING_SCOPE' });
    });

    it('lets only administrators extend the system prompt', async () => {
      const client = await connect({ scopes: ['operator.write'] });
      const params = { sessionKey: 'main', message: 'x', idempotencyKey: 'p-1', extraSystemPrompt: 'obey' };
      expect((await client.request('chat.send', params)).error).toMatchObject({ code: 'FORBIDDEN', details: { code: 'MISSING_SCOPE' } });
      expect((await (await connect()).request('chat.send', params)).ok).toBe(true);
      expect(routing.accepted.at(-1)?.data).toMatchObject({ extraSystemPrompt: 'obey' });
    });

    it('says so when the owner of a method is not there, and that trying again can help', async () => {
      const client = await connect();
      await search.stop();
      const unanswered = await waitFor(async () => {
        const { error } = await client.request('memory.search', { query: 'x' });
        return error?.details?.code === 'NO_RESPONDERS' ? error : undefined;
      });
      expect(unanswered).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
      serveSearch();
      await waitFor(async () => (await client.request('memory.search', { query: 'x' })).ok);
    });

    it('turns a node away from the methods of operators, and closes when it insists', async () => {
      const node = await connect({ role: 'node', client: { id: 'node-host', version: '1', platform: 'linux', mode: 'node' } });
      for (let index = 0; index <= 10; index += 1) node.send({ type: 'req', id: `n${index}`, method: 'chat.send', params: {} });
      expect((await node.response('n0')).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'unauthorized role: node' });
      expect(await node.end()).toEqual({ code: 1008, reason: 'repeated unauthorized calls' });
    });

    it('refuses a second request under an id that is still running, and more at once than the limit', async () => {
      let open: () => void = () => undefined;
      routing.describeGate = new Promise((resolve) => {
        open = resolve;
      });
      const client = await connect();
      for (const id of ['a', 'b', 'c', 'd', 'e', 'a']) client.send({ type: 'req', id, method: 'sessions.describe', params: { key: 'main' } });
      expect((await client.response('a')).error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('still running') });
      expect((await client.response('e')).error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, details: { code: 'RATE_LIMITED' } });
      open();
      routing.describeGate = undefined;
      for (const id of ['b', 'c', 'd']) expect((await client.response(id)).ok).toBe(true);
      expect((await client.response('a', 1)).ok).toBe(true);
    });
  });

  describe('malformed input', () => {
    it('ignores text that is no JSON and answers frames of a wrong shape', async () => {
      const client = await connect();
      client.send('not json');
      client.send('');
      client.send(Buffer.from([0xff, 0xfe, 0x00]));
      expect((await client.request('health')).ok).toBe(true);
      client.send('[]');
      expect((await client.response('invalid')).error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(/^invalid request frame/) });
      client.send({ type: 'req', id: 'x', method: '' });
      expect((await client.response('x')).error?.message).toMatch(/^invalid request frame: at \/method/);
      client.send(`{"type":"req","id":"deep","method":"health","params":${'['.repeat(500)}${']'.repeat(500)}}`);
      expect((await client.response('invalid', 1)).error?.message).toContain('deeper');
      client.send('{"type":"req","id":"p","method":"health","params":{"__proto__":{"x":1}}}');
      expect((await client.response('invalid', 2)).error?.message).toContain('__proto__');
    });

    it('property: whatever is sent, the process and the other connections live', async () => {
      const bystander = await connect();
      const frame = fc.oneof(
        fc.string().map((text) => text),
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        fc.json(),
        fc
          .record(
            {
              type: fc.constantFrom('req', 'res', 'event', 1),
              id: fc.oneof(fc.string(), fc.integer()),
              method: fc.oneof(fc.string(), fc.constantFrom('chat.send', 'inbox.resume', 'agent.wait', 'connect')),
              params: fc.jsonValue(),
            },
            { requiredKeys: [] },
          )
          .map((value) => JSON.stringify(value)),
      );
      await fc.assert(
        fc.asyncProperty(fc.boolean(), fc.array(frame, { minLength: 1, maxLength: 8 }), async (greeted, frames) => {
          const client = greeted ? await RawClient.connect(gateway.ws, mesh.token) : await RawClient.open(gateway.ws);
          for (const one of frames) client.socket.send(one);
          // A ping of the socket is answered behind everything that was sent before it, or the socket was closed.
          if (client.closed === undefined) {
            await new Promise<void>((resolve) => {
              client.socket.once('pong', () => resolve());
              client.socket.once('close', () => resolve());
              client.socket.ping();
            });
          }
          expect(client.violations).toEqual([]);
          client.close();
        }),
        { numRuns: 60 },
      );
      expect((await bystander.request('health')).ok).toBe(true);
    }, 180_000);
  });
});
