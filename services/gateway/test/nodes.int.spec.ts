import { sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { TestMesh } from './support/test-mesh.js';

const DEVICE = 'd'.repeat(64);
const asNode = (deviceId = DEVICE, more: Record<string, unknown> = {}) => ({
  role: 'node',
  scopes: [],
  client: { id: 'node-host', version: '2026.9.6', platform: 'linux', mode: 'node', displayName: 'kitchen' },
  caps: ['system'],
  commands: ['system.which'],
  device: { id: deviceId },
  ...more,
});

describe('nodes', () => {
  let mesh: TestMesh;
  const clients: RawClient[] = [];
  let one: { ws: string };
  let two: { ws: string; stop(): Promise<void> };

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routing, push] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    new RoutingStandIn(routing);
    new PushStandIn(push);
    [one, two] = await Promise.all([mesh.gateway(), mesh.gateway()]);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => mesh?.stop());

  async function connect(ws: string, connect: Record<string, unknown> = {}, token = mesh.token): Promise<RawClient> {
    const client = await RawClient.connect(ws, token, connect);
    clients.push(client);
    return client;
  }
  const listed = (client: RawClient, nodeId: string, connected: boolean) =>
    waitFor(
      async () => {
        const { payload } = await client.request('node.list', {});
        return payload.nodes.find((node: { nodeId: string; connected: boolean }) => node.nodeId === nodeId && node.connected === connected);
      },
      { what: `the node to be listed as ${connected ? 'connected' : 'gone'}` },
    );

  it('a node on one gateway is listed, described and invoked through another', async () => {
    const node = await connect(two.ws, asNode());
    const operator = await connect(one.ws);
    const row = await listed(operator, DEVICE, true);
    expect(row).toMatchObject({ nodeId: DEVICE, displayName: 'kitchen', platform: 'linux', commands: ['system.which'], caps: ['system'], paired: true });
    expect((await operator.request('node.describe', { nodeId: DEVICE })).payload).toMatchObject({ nodeId: DEVICE, connected: true });
    expect((await operator.request('node.pair.list', {})).payload.paired).toHaveLength(1);

    const call = operator.request('node.invoke', { nodeId: DEVICE, command: 'system.which', params: { name: 'sh' }, idempotencyKey: 'k1' });
    const asked = await node.event('node.invoke.request');
    expect(asked.seq).toBeUndefined();
    expect(asked.payload).toEqual({
      id: expect.any(String),
      nodeId: DEVICE,
      command: 'system.which',
      paramsJSON: '{"name":"sh"}',
      timeoutMs: 30_000,
      idempotencyKey: 'k1',
    });
    expect((await node.request('node.invoke.result', { id: asked.payload.id, nodeId: DEVICE, ok: true, payloadJSON: '{"path":"/bin/sh"}' })).payload).toEqual({
      ok: true,
    });
    expect((await call).payload).toEqual({
      ok: true,
      nodeId: DEVICE,
      command: 'system.which',
      payload: { path: '/bin/sh' },
      payloadJSON: '{"path":"/bin/sh"}',
    });
    expect((await node.request('node.invoke.result', { id: asked.payload.id, nodeId: DEVICE, ok: true })).payload).toEqual({ ok: true, ignored: true });
    expect(node.violations).toEqual([]);
  });

  it('one idempotency key is one command, whoever asks again and wherever', async () => {
    const node = await connect(two.ws, asNode('e'.repeat(64)));
    const nodeId = 'e'.repeat(64);
    const [here, there] = await Promise.all([connect(two.ws), connect(one.ws)]);
    await listed(there, nodeId, true);
    const params = { nodeId, command: 'system.which', idempotencyKey: 'twice' };
    const calls = [here.request('node.invoke', params), there.request('node.invoke', params)];
    const asked = await node.event('node.invoke.request');
    await node.request('node.invoke.result', { id: asked.payload.id, nodeId, ok: true, payload: { n: 1 } });
    for (const { payload } of await Promise.all(calls)) expect(payload).toMatchObject({ ok: true, payload: { n: 1 } });
    expect((await here.request('node.invoke', params)).payload).toMatchObject({ payload: { n: 1 } });
    expect(node.events('node.invoke.request')).toHaveLength(1);
  });

  it('says what is wrong: the node failed, took too long, went away, was never there', async () => {
    const nodeId = 'f'.repeat(64);
    const node = await connect(two.ws, asNode(nodeId));
    const operator = await connect(one.ws);
    await listed(operator, nodeId, true);
    const invoke = (key: string, more: Record<string, unknown> = {}) => operator.request('node.invoke', { nodeId, command: 'c', idempotencyKey: key, ...more });

    const failing = invoke('fails');
    const asked = await node.event('node.invoke.request', ({ idempotencyKey }) => idempotencyKey === 'fails');
    await node.request('node.invoke.result', { id: asked.payload.id, nodeId, ok: false, error: { code: 'DENIED', message: 'not allowed' } });
    expect((await failing).error).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'not allowed',
      details: { code: 'NODE_INVOKE_FAILED', nodeError: { code: 'DENIED' } },
    });

    expect((await invoke('slow', { timeoutMs: 50 })).error?.details).toMatchObject({ code: 'TIMEOUT' });
    await node.event('node.invoke.cancel');

    const leaving = invoke('leaves');
    await node.event('node.invoke.request', ({ idempotencyKey }) => idempotencyKey === 'leaves');
    node.close();
    expect((await leaving).error?.details).toMatchObject({ code: 'NOT_CONNECTED' });
    await listed(operator, nodeId, false);
    expect((await invoke('later')).error?.details).toMatchObject({ code: 'NOT_CONNECTED' });
    const unknown = await operator.request('node.invoke', { nodeId: 'nobody', command: 'c', idempotencyKey: 'x' });
    expect(unknown.error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, details: { code: 'PAIRING_CHANGED' } });
  });

  it('a caller that leaves has its command cancelled at the node', async () => {
    const nodeId = '1'.repeat(64);
    const node = await connect(two.ws, asNode(nodeId));
    const operator = await connect(one.ws);
    await listed(operator, nodeId, true);
    operator.send({ type: 'req', id: 'i', method: 'node.invoke', params: { nodeId, command: 'c', idempotencyKey: 'gone' } });
    const asked = await node.event('node.invoke.request');
    operator.close();
    expect((await node.event('node.invoke.cancel')).payload).toEqual({ invokeId: asked.payload.id, nodeId });
  });

  it('nodes of another user or tenant are neither seen nor reached, whatever device id they claim', async () => {
    const nodeId = '2'.repeat(64);
    const ann = await mesh.jwt({ sub: 'ann' });
    const bob = await mesh.jwt({ sub: 'bob' });
    const stranger = await mesh.jwt({ sub: 'ann', tenant: 'other', scopes: ['operator.admin'] });
    const annsNode = await connect(two.ws, asNode(nodeId), ann);
    const bobsNode = await connect(two.ws, asNode(nodeId), bob);
    const asks = (token: string, scopes: string[]) => connect(one.ws, { scopes }, token);
    const [annHere, bobHere, other] = await Promise.all([
      asks(ann, ['operator.read', 'operator.write']),
      asks(bob, ['operator.read', 'operator.write']),
      asks(stranger, ['operator.admin']),
    ]);
    await Promise.all([listed(annHere, nodeId, true), listed(bobHere, nodeId, true)]);
    expect((await annHere.request('node.list', {})).payload.nodes).toHaveLength(1);
    expect((await other.request('node.list', {})).payload.nodes).toEqual([]);
    const call = bobHere.request('node.invoke', { nodeId, command: 'c', idempotencyKey: 'b' });
    const asked = await bobsNode.event('node.invoke.request');
    // Even with the right id, only the node that was asked can answer.
    expect((await annsNode.request('node.invoke.result', { id: asked.payload.id, nodeId, ok: true })).payload).toEqual({ ok: true, ignored: true });
    await bobsNode.request('node.invoke.result', { id: asked.payload.id, nodeId, ok: true, payload: 'mine' });
    expect((await call).payload).toMatchObject({ payload: 'mine' });
    expect(annsNode.events('node.invoke.request')).toEqual([]);
    expect((await other.request('node.invoke', { nodeId, command: 'c', idempotencyKey: 'b' })).error?.details).toMatchObject({ code: 'PAIRING_CHANGED' });
  });

  it('a node hears of the sessions it subscribed to, as long as it is subscribed', async () => {
    const nodeId = '3'.repeat(64);
    const node = await connect(two.ws, asNode(nodeId));
    const sessions = new Map<string, string>();
    const say = (sessionKey: string, runId: string) => {
      const sessionId = sessions.get(sessionKey) ?? ulid();
      sessions.set(sessionKey, sessionId);
      const event = { type: 'text_chunk' as const, content: runId };
      return mesh.operator.publish(sessionContracts.sessionEvent, {
        tenant: 'default',
        key: [sessionId],
        data: { sessionId, sessionKey, owner: 'me', runId, runSeq: 1, event },
      });
    };
    const event = (name: string, payload: unknown) => node.request('node.event', { event: name, payload });
    expect((await event('chat.subscribe', { sessionKey: 'agent:main:kitchen' })).payload).toEqual({ ok: true, event: 'chat.subscribe', handled: true });
    await say('agent:main:elsewhere', 'r0');
    await say('agent:main:kitchen', 'r1');
    await node.event('chat', ({ runId }) => runId === 'r1');
    expect((await node.request('node.event', { event: 'chat.unsubscribe', payloadJSON: '{"sessionKey":"agent:main:kitchen"}' })).payload.handled).toBe(true);
    expect((await event('chat.subscribe', { sessionKey: 'agent:main:other' })).payload.handled).toBe(true);
    await say('agent:main:kitchen', 'r2');
    await say('agent:main:other', 'r3');
    await node.event('chat', ({ runId }) => runId === 'r3');
    expect(node.events('chat').map(({ payload }) => payload.runId)).not.toContain('r0');
    expect(node.events('chat').map(({ payload }) => payload.runId)).not.toContain('r2');
    expect((await event('voice.transcript', {})).payload).toEqual({ ok: true, event: 'voice.transcript', handled: false, reason: 'unsupported_event' });
    expect((await event('chat.subscribe', {})).payload).toMatchObject({ handled: false, reason: 'missing_session_key' });
  });

  it('roles keep to their own methods; a node that insists is closed', async () => {
    const node = await connect(one.ws, asNode('4'.repeat(64)));
    const operator = await connect(one.ws);
    expect((await operator.request('node.event', { event: 'x' })).error).toMatchObject({ code: 'INVALID_REQUEST', message: 'unauthorized role: operator' });
    expect((await node.request('node.invoke.result', { id: 'x', nodeId: 'somebody-else', ok: true })).error?.details).toMatchObject({ code: 'FORBIDDEN' });
    for (let i = 0; i < 11; i += 1) node.send({ type: 'req', id: `n${i}`, method: 'health' });
    expect(await node.end()).toEqual({ code: 1008, reason: 'repeated unauthorized calls' });
  });

  it('a node whose gateway died is listed as gone, and as connected again when it is back on another', async () => {
    const nodeId = '5'.repeat(64);
    const third = await mesh.gateway();
    await connect(third.ws, asNode(nodeId));
    const operator = await connect(one.ws);
    await listed(operator, nodeId, true);
    await third.stop();
    await listed(operator, nodeId, false);
    await connect(two.ws, asNode(nodeId));
    await listed(operator, nodeId, true);
  });
});
