import { waitFor } from '@plexus/testing';
import { PACKAGE } from './support/owner-stand-ins.js';
import { RawClient } from './support/raw-client.js';
import type { TestGateway } from './support/test-mesh.js';
import { type Session, VmWorld } from './support/vm-world.js';

const PATIENT = { timeoutMs: 60_000 };

describe('requests of VMs', () => {
  let world: VmWorld;
  let second: TestGateway;

  beforeAll(async () => {
    world = await VmWorld.start();
    second = await world.mesh.gateway();
  });
  afterEach(() => {
    world.owners.toolGate = undefined;
    world.reset();
  });
  afterAll(() => world?.stop());

  /** A VM that may ask for one session, and the answer to one request of it. */
  async function asking(session: Session = world.session()) {
    const connected = await world.connected({ sessions: [session] });
    let count = 0;
    const ask = async (method: string, params: Record<string, unknown>, sessionId = session.sessionId) => {
      count += 1;
      const id = `q${count}`;
      connected.vm.offer({ type: 'request', id, session_id: sessionId, method, params });
      return connected.client.frame('response', (frame) => frame.id === id, PATIENT.timeoutMs);
    };
    return { ...connected, session, ask };
  }

  it('search memories of the session, its agent and its owner, as that owner, with the role of a VM', async () => {
    const { ask, session, vm } = await asking(world.session('ann'));
    expect(await ask('memory_search', { query: 'tea', top_k: 3 })).toEqual({
      type: 'response',
      id: 'q1',
      result: { results: [{ id: 'mem_1', content: 'likes tea', score: 0.8, metadata: { kind: 'fact', created_at: '2026-11-21T10:00:00Z' } }] },
      error: null,
    });
    expect(world.owners.memory.at(-1)).toEqual({
      principal: expect.objectContaining({ tenant: 'default', user: 'ann', role: 'vm', credentialId: `${vm.vmId}:1` }),
      data: expect.objectContaining({
        query: 'tea',
        k: 3,
        scopes: [
          { kind: 'session', id: session.sessionKey },
          { kind: 'agent', id: 'main' },
          { kind: 'user', id: 'ann' },
        ],
      }),
    });
    await waitFor(() => vm.sender.acked === 1, { what: 'the ack', ...PATIENT });
  });

  it('finding 13: write memories under the words of the protocol, each once however often it is sent', async () => {
    const { ask, vm } = await asking();
    expect(await ask('memory_write', { content: 'likes tea', memory_type: 'semantic' })).toMatchObject({ result: { id: 'mem_2', result: 'created' } });
    expect(world.owners.memory.at(-1)?.data).toMatchObject({ content: 'likes tea', kind: 'fact', idempotencyKey: `${vm.vmId}:1:q1` });
    await ask('memory_write', { content: 'went to Kyoto', memory_type: 'episodic' });
    expect(world.owners.memory.at(-1)?.data).toMatchObject({ kind: 'episode' });
  });

  it('get a skill package as its store gives it, or hear that there is none', async () => {
    const { ask } = await asking();
    expect((await ask('get_skill_package', { skill_id: 'greet', version: '1.0.0' })).result).toEqual({ package: PACKAGE });
    expect(world.owners.skill.at(-1)).toMatchObject({ principal: { role: 'vm', user: 'me' }, data: { skillId: 'greet', version: '1.0.0' } });
    expect(await ask('get_skill_package', { skill_id: 'nothing' })).toMatchObject({ result: null, error: { code: 'NOT_FOUND' } });
  });

  it('call a tool of a remote server in the name of their session', async () => {
    const { ask, session } = await asking();
    const answer = await ask('mcp_call', { server: 'tickets', tool: 'search', arguments: { text: 'printer' } });
    expect(answer).toMatchObject({ result: { result: { content: [{ type: 'text', text: 'search done' }] } }, error: null });
    expect(world.owners.mcp.at(-1)).toMatchObject({
      principal: { role: 'vm', user: 'me' },
      data: { server: 'tickets', tool: 'search', arguments: { text: 'printer' }, sessionId: session.sessionId },
    });
    expect(await ask('mcp_call', { server: 'forbidden', tool: 'x' })).toMatchObject({ result: null, error: { code: 'FORBIDDEN' } });
  });

  it('see their own agent’s settings and of others no more than everybody', async () => {
    const config = {
      agents: {
        list: [
          { id: 'main', default: true, model: 'big/one', systemPrompt: 'Be brief.' },
          { id: 'other', model: 'big/two', systemPrompt: 'Not yours.' },
        ],
      },
      models: { providers: { big: { baseUrl: 'https://models.example', apiKey: { env: 'BIG_KEY' }, models: [{ id: 'one' }, { id: 'two' }] } } },
    };
    const bucket = await world.mesh.operator.kv({ name: 'PLEXUS_CONFIG', ttlMs: 0, history: 64, maxBytes: 268_435_456, summary: '' });
    const revision = await bucket.put('default', config);
    const { ask } = await asking();
    const own = await waitFor(
      async () => {
        const { result } = await ask('get_config', { agent_id: 'main' });
        return result?.config.revision === revision ? result : undefined;
      },
      { what: 'the new configuration', ...PATIENT },
    );
    expect(own).toEqual({ config: { agent_id: 'main', model: 'big/one', fallback_models: [], system_prompt: 'Be brief.', revision } });
    expect((await ask('get_config', { agent_id: 'other' })).result).toEqual({ config: { agent_id: 'other', model: 'big/two', revision } });
    expect(await ask('get_config', { agent_id: 'nobody' })).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('see sessions of their owner, and of nobody else', async () => {
    const [mine, strangers] = [world.session('ann'), world.session('bob')];
    const at = '2026-11-21T10:00:00Z';
    const summary = (session: Session) => ({ ...session, kind: 'direct' as const, createdAt: at, updatedAt: at, messageCount: 2 });
    const elsewhere = { ...world.session('ann'), sessionKey: 'agent:main:elsewhere' };
    world.owners.sessions.set('ann', [summary(mine), summary(elsewhere)]);
    world.owners.sessions.set('bob', [summary(strangers)]);
    // Somebody else's session on the same VM, as on a shared one.
    const { vm, client } = await world.connected({ sessions: [mine, strangers] });
    const ask = async (id: string, session_id: string) => {
      vm.offer({ type: 'request', id, session_id: mine.sessionId, method: 'get_session', params: { session_id } });
      return client.frame('response', (frame) => frame.id === id, PATIENT.timeoutMs);
    };
    expect((await ask('a', mine.sessionId)).result).toMatchObject({
      session: { session_id: mine.sessionId, session_key: mine.sessionKey, agent_id: 'main', kind: 'direct', created_at: at, updated_at: at, message_count: 2 },
      agent: { agent_id: 'main' },
    });
    expect((await ask('b', elsewhere.sessionId)).result).toMatchObject({ session: { session_key: 'agent:main:elsewhere' } });
    for (const [id, session] of [['c', strangers] as const, ['d', world.session()] as const]) {
      expect(await ask(id, session.sessionId)).toMatchObject({ result: null, error: { code: 'SESSION_NOT_FOUND' } });
    }
    expect(world.owners.routing.every(({ principal }) => principal.user === 'ann')).toBe(true);
  });

  it('with wrong parameters are answered with what is wrong', async () => {
    const { ask } = await asking();
    expect(await ask('memory_search', {})).toMatchObject({ result: null, error: { code: 'INVALID_REQUEST', message: expect.stringContaining('/query') } });
  });

  it('that nobody here knows are the scheduler’s, and counted like unknown calls without an answer', async () => {
    const { vm, record, session } = await asking();
    vm.offer({ type: 'request', id: 'x', session_id: session.sessionId, method: 'make_tea', params: {} });
    vm.offer({ type: 'fire_and_forget', session_id: session.sessionId, method: 'drink_tea', params: {} });
    vm.offer({ type: 'fire_and_forget', session_id: session.sessionId, method: 'evolution_submit', params: {} });
    await waitFor(() => record.submitted.length === 3, { what: 'the frames', ...PATIENT });
    expect(record.submitted.map(({ frame }) => frame.method)).toEqual(['make_tea', 'drink_tea', 'evolution_submit']);
    const admin = await RawClient.connect(world.gateway.ws, world.mesh.token);
    const { payload } = await admin.request('status');
    admin.close();
    expect(payload.counters.vms.unknownMethod).toBe(2);
  });

  it('are run once, and their answer is repeated to a VM that comes back', async () => {
    const { vm, client } = await world.connected();
    const before = world.owners.memory.length;
    vm.offer({ type: 'request', id: 'q', session_id: 's', method: 'memory_write', params: { content: 'once' } });
    await client.frame('response');
    vm.cut();
    const again = await world.connect(vm);
    vm.offer({ type: 'request', id: 'q', session_id: 's', method: 'memory_write', params: { content: 'once' } });
    expect(await again.frame('response')).toMatchObject({ id: 'q', result: { id: 'mem_2' } });
    again.send({ type: 'resume', pending_ids: ['q', 'unheard'] });
    expect((await again.frame('resume_response')).results).toEqual({
      q: { status: 'completed', data: { id: 'mem_2', result: 'created' } },
      unheard: { status: 'not_found' },
    });
    expect(world.owners.memory).toHaveLength(before + 1);
  });

  it('for remote tools run once also across gateways: pending, then answered, then completed', async () => {
    const { vm, client, session } = await asking();
    const before = world.owners.mcp.length;
    let open: () => void = () => undefined;
    world.owners.toolGate = new Promise((resolve) => {
      open = resolve;
    });
    const call = { type: 'request', id: 'tool', session_id: session.sessionId, method: 'mcp_call', params: { server: 'tickets', tool: 'close' } };
    vm.offer(call);
    await waitFor(() => world.owners.mcp.length === before + 1, { what: 'the call', ...PATIENT });
    // It is safe with the mesh before it is answered: other frames are not held up by it.
    await waitFor(() => vm.sender.acked === 1, { what: 'the ack', ...PATIENT });
    vm.cut();
    client.close();
    const elsewhere = await world.connect(vm, second);
    elsewhere.send({ type: 'resume', pending_ids: ['tool'] });
    expect((await elsewhere.frame('resume_response')).results).toEqual({ tool: { status: 'pending' } });
    vm.offer(call);
    open();
    const answer = await elsewhere.frame('response', (frame) => frame.id === 'tool', PATIENT.timeoutMs);
    expect(answer).toMatchObject({ result: { result: { content: [{ text: 'close done' }] } }, error: null });
    // The repeated frame waits for the same answer on its own, and may have it a moment later.
    const completed = await waitFor(
      () => {
        elsewhere.send({ type: 'resume', pending_ids: ['tool'] });
        return elsewhere.frames.map(({ results }) => results?.tool).find((outcome) => outcome?.status === 'completed');
      },
      { what: 'the answer in resume_response', ...PATIENT },
    );
    expect(completed).toEqual({ status: 'completed', data: answer.result });
    expect(world.owners.mcp).toHaveLength(before + 1);
  });
});
