import { BUCKETS } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

describe('session events on the sockets', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let routing: RoutingStandIn;
  const clients: RawClient[] = [];
  let number = 0;

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push')]);
    routing = new RoutingStandIn(routingBus);
    new PushStandIn(pushBus);
    gateway = await mesh.gateway();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      expect(client.violations).toEqual([]);
      client.close();
    }
  });
  afterAll(() => mesh?.stop());

  async function connect(user = 'me', connect: Record<string, unknown> = {}, tenant = 'default'): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, await mesh.jwt({ sub: user, tenant, scopes: ['operator.admin'] }), connect);
    clients.push(client);
    return client;
  }
  const session = (key = `agent:main:s${++number}`, user = 'me', tenant = 'default') => routing.ensure({ tenant, user }, key);
  const states = (client: RawClient, runId: string) => client.events('chat').filter(({ payload }) => payload.runId === runId);

  it('shows a run as deltas with the cumulative message, then one final, numbered within the run and on the connection', async () => {
    const client = await connect();
    const to = session();
    await routing.answer(to, 'run-a', ['Hel', 'lo']);
    await client.event('chat', ({ runId, state }) => runId === 'run-a' && state === 'final');
    const message = (text: string) => ({ role: 'assistant', content: [{ type: 'text', text }], timestamp: expect.any(Number) });
    const base = { runId: 'run-a', sessionKey: to.sessionKey, agentId: 'main' };
    expect(states(client, 'run-a').map(({ payload }) => payload)).toEqual([
      { ...base, seq: 1, state: 'delta', deltaText: 'Hel', message: message('Hel') },
      { ...base, seq: 2, state: 'delta', deltaText: 'lo', message: message('Hello') },
      { ...base, seq: 3, state: 'final', message: message('Hello'), usage: { input_tokens: 1, output_tokens: 2 }, stopReason: 'stop' },
    ]);
    const numbers = client.frames.filter(({ seq }) => seq !== undefined).map(({ seq }) => seq);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(client.events('agent').map(({ payload }) => payload.stream)).toEqual(['lifecycle', 'assistant', 'assistant', 'lifecycle']);
  });

  it('shows how a run was aborted, failed, reset, thought and called tools', async () => {
    const client = await connect('me', { caps: ['tool-events'] });
    const plain = await connect();
    const to = session();
    const say = (runId: string, runSeq: number, event: { type: string; [key: string]: unknown }) => routing.publish(to, { runId, runSeq, epoch: 1, event });
    await say('run-b', 1, { type: 'thinking', stage: 'plan', content: 'hm' });
    await say('run-b', 2, { type: 'tool_call_start', tool_name: 'search', tool_input: { q: 1 } });
    await say('run-b', 3, { type: 'text_chunk', content: 'wrong' });
    await say('run-b', 4, { type: 'text_reset' });
    await say('run-b', 5, { type: 'text_chunk', content: 'right' });
    await say('run-b', 6, { type: 'execution_complete', cancelled: true });
    await say('run-c', 1, { type: 'execution_error', code: 'RUN_TIMEOUT', error: 'nothing came' });
    await client.event('chat', ({ runId }) => runId === 'run-c');
    await plain.event('chat', ({ runId }) => runId === 'run-c');
    expect(states(client, 'run-b').map(({ payload: { state, deltaText, replace, phase } }) => [state, deltaText ?? phase, replace])).toEqual([
      ['status', 'thinking', undefined],
      ['delta', 'wrong', undefined],
      ['delta', '', true],
      ['delta', 'right', undefined],
      ['aborted', undefined, undefined],
    ]);
    expect(states(client, 'run-b').at(-2)?.payload.message.content[0].text).toBe('right');
    expect(states(client, 'run-c')[0]?.payload).toMatchObject({ state: 'error', errorMessage: 'nothing came', errorKind: 'timeout' });
    const streams = (one: RawClient) => one.events('agent').filter(({ payload }) => payload.stream === 'tool');
    expect(streams(client)[0]?.payload.data).toMatchObject({ phase: 'start', name: 'search', args: { q: 1 } });
    expect(streams(plain)).toEqual([]);
  });

  it('keeps everything to the owner: no other user and no other tenant sees it, nor a socket without the scope', async () => {
    const key = `agent:main:private${++number}`;
    const [me, ann, foreign, blind] = await Promise.all([connect('me'), connect('ann'), connect('me', {}, 'other'), connect('me', { scopes: [] })]);
    for (const client of [me, ann, foreign, blind]) {
      await client.request('sessions.messages.subscribe', { key });
      await client.request('sessions.subscribe', {});
    }
    const to = session(key, 'me');
    await routing.answer(to, 'run-p', ['secret']);
    await routing.message(to, routing.append(to, 'user', 'secret', 'run-p'));
    await (await connect('me')).request('sessions.reset', { key });
    // The other two see something of their own that was published behind it, so they would have seen this.
    await routing.answer(session(key, 'ann'), 'run-ann', ['x']);
    await routing.answer(session(key, 'me', 'other'), 'run-other', ['x']);
    await Promise.all([ann.event('chat', ({ runId }) => runId === 'run-ann'), foreign.event('chat', ({ runId }) => runId === 'run-other')]);
    await me.event('sessions.changed', ({ reason }) => reason === 'reset');
    expect(me.events('session.message')[0]?.payload).toMatchObject({ sessionKey: key, message: { role: 'user', content: [{ type: 'text', text: 'secret' }] } });
    for (const client of [ann, foreign, blind]) expect(JSON.stringify(client.frames)).not.toContain('secret');
    for (const client of [ann, foreign, blind]) expect(client.events('sessions.changed')).toEqual([]);
    expect(JSON.stringify(me.frames)).not.toContain('run-ann');
    expect(blind.events('chat')).toEqual([]);
  });

  it('shows the events of the whole tenant to an administrator who asks for them, each with its owner', async () => {
    const [asked, other, scopeless] = await Promise.all([
      connect('boss', { caps: ['plexus-tenant-events-v1'] }),
      connect('boss'),
      connect('boss', { caps: ['plexus-tenant-events-v1'], scopes: ['operator.read'] }),
    ]);
    await routing.answer(session(undefined, 'ann'), 'run-t', ['x']);
    expect((await asked.event('chat', ({ runId }) => runId === 'run-t')).payload).toMatchObject({ owner: 'ann' });
    await routing.answer(session(undefined, 'ann', 'other'), 'run-foreign', ['x']);
    await routing.answer(session(undefined, 'boss'), 'run-own', ['x']);
    for (const client of [asked, other, scopeless]) await client.event('chat', ({ runId }) => runId === 'run-own');
    expect(states(other, 'run-t')).toEqual([]);
    expect(states(scopeless, 'run-t')).toEqual([]);
    expect(states(asked, 'run-foreign')).toEqual([]);
    expect(states(asked, 'run-own')[0]?.payload).not.toHaveProperty('owner');
  });

  it('sends session-scoped clients only the sessions that they subscribed to', async () => {
    const client = await connect('me', { caps: ['session-scoped-events'] });
    const [wanted, unwanted] = [session(), session()];
    await client.request('sessions.messages.subscribe', { key: wanted.sessionKey });
    await routing.answer(unwanted, 'run-u', ['x']);
    await routing.answer(wanted, 'run-w', ['x']);
    await client.event('chat', ({ runId }) => runId === 'run-w');
    expect(states(client, 'run-u')).toEqual([]);
  });

  it('drops what a fenced incarnation wrote, repeats, and everything behind the first end', async () => {
    const client = await connect();
    const to = session();
    await routing.answer(to, 'run-e', ['a'], { end: false, epoch: 4 });
    await routing.publish(to, { epoch: 5, event: { type: 'epoch_marker' } });
    await routing.publish(to, { runId: 'run-e', runSeq: 2, epoch: 4, event: { type: 'text_chunk', content: 'STALE' } });
    await routing.publish(to, { runId: 'run-e', runSeq: 2, epoch: 5, event: { type: 'text_chunk', content: 'b' } });
    await routing.publish(to, { runId: 'run-e', runSeq: 2, epoch: 5, event: { type: 'text_chunk', content: 'AGAIN' } });
    await routing.publish(to, { runId: 'run-e', event: { type: 'execution_error', code: 'VM_LOST', error: 'gone' } });
    await routing.publish(to, { runId: 'run-e', runSeq: 3, epoch: 5, event: { type: 'execution_complete', content: 'LATE' } });
    await routing.answer(to, 'run-after', ['x'], { epoch: 5 });
    await client.event('chat', ({ runId }) => runId === 'run-after');
    expect(states(client, 'run-e').map(({ payload: { state, deltaText } }) => deltaText ?? state)).toEqual(['a', 'b', 'error']);
  });

  it('begins with the epoch that the scheduler declared, when the marker lies before its start', async () => {
    const epochs = await mesh.operator.kv(BUCKETS.vmEpoch);
    await epochs.put('vm-x', 9);
    const late = await mesh.gateway({ GATEWAY_REPLAY_EVENTS: '0' });
    const client = await RawClient.connect(late.ws, mesh.token);
    clients.push(client);
    const to = session();
    await routing.publish(to, { runId: 'run-x', runSeq: 1, vmId: 'vm-x', epoch: 8, event: { type: 'text_chunk', content: 'STALE' } });
    await routing.publish(to, { runId: 'run-x', runSeq: 1, vmId: 'vm-x', epoch: 9, event: { type: 'text_chunk', content: 'fresh' } });
    expect((await client.event('chat', ({ runId }) => runId === 'run-x')).payload.deltaText).toBe('fresh');
    await late.stop();
  });

  it('shows a run whole to a client that comes to another gateway in its middle', async () => {
    const to = session();
    await routing.answer(to, 'run-m', ['One ', 'two '], { end: false });
    const second = await mesh.gateway();
    const client = await RawClient.connect(second.ws, mesh.token);
    clients.push(client);
    await routing.answer(to, 'run-m', ['three'], { from: 3 });
    const final = await client.event('chat', ({ runId, state }) => runId === 'run-m' && state === 'final');
    expect(states(client, 'run-m')[0]?.payload.message.content[0].text).toBe('One two three');
    expect(final.payload.message.content[0].text).toBe('One two three');
    await second.stop();
  });

  it('leaves the cumulative message out when it does not know the beginning', async () => {
    const client = await connect();
    const to = session();
    await routing.answer(to, 'run-g', ['end'], { from: 7 });
    await client.event('chat', ({ runId, state }) => runId === 'run-g' && state === 'final');
    for (const { payload } of states(client, 'run-g')) expect(payload).not.toHaveProperty('message');
  });

  it('shows an injected message as the final of a run of its own', async () => {
    const client = await connect();
    const to = session();
    await client.request('chat.inject', { sessionKey: to.sessionKey, message: 'The import is done.', label: 'ci' });
    const { payload } = await client.event('chat', ({ sessionKey }) => sessionKey === to.sessionKey);
    expect(payload).toMatchObject({ state: 'final', runId: expect.stringMatching(/^inject-/), message: { content: [{ text: 'The import is done.' }] } });
  });

  it('goes on after nats-server was killed and started again, without losing or doubling an event', async () => {
    const client = await connect();
    const to = session();
    await routing.answer(to, 'run-n', ['before '], { end: false });
    await client.event('chat', ({ runId }) => runId === 'run-n');
    await mesh.nats.kill();
    await mesh.nats.restart();
    await waitFor(() => mesh.operator.isConnected(), { what: 'the reconnect' });
    await waitFor(() => routing.answer(to, 'run-n', ['after'], { from: 2 }).then(() => true), { what: 'a publish', timeoutMs: 60_000 });
    const final = await client.event('chat', ({ runId, state }) => runId === 'run-n' && state === 'final');
    expect(states(client, 'run-n').map(({ payload: { deltaText } }) => deltaText)).toEqual(['before ', 'after', undefined]);
    expect(final.payload.message.content[0].text).toBe('before after');
  }, 180_000);
});
