import { sessionContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import type { TestGateway } from './support/test-mesh.js';
import type { ThirdPartyRuntime } from './support/third-party-runtime.js';
import { VmWorld } from './support/vm-world.js';

const PATIENT = { timeoutMs: 60_000 };
const INIT = { type: 'init', data: { user_id: 'me', org_id: 'default', api_keys: {} } };

describe('a runtime of somebody else, which knows the document only', () => {
  let world: VmWorld;
  let second: TestGateway;

  beforeAll(async () => {
    world = await VmWorld.start();
    second = await world.mesh.gateway();
  });
  afterEach(() => world.reset());
  afterAll(() => world?.stop());

  const frames = (runtime: ThirdPartyRuntime, count: number) =>
    waitFor(() => runtime.received.length >= count, { what: `${count} frames`, ...PATIENT }).then(() => runtime.received);
  const closed = (runtime: ThirdPartyRuntime) => waitFor(() => runtime.closes[0], { what: 'the close', ...PATIENT });

  async function connected() {
    const made = world.plain();
    await made.runtime.connect();
    await frames(made.runtime, 1);
    return made;
  }

  it('connects, is told who it is, and gets its work without numbers', async () => {
    const { runtime, record, session } = await connected();
    world.scheduler.queue(record.vmId, {
      type: 'start_session',
      data: { session_id: session.sessionId, session_key: session.sessionKey, owner: 'me', runtime_type: 'semigraph', agent_id: 'main' },
    });
    const message = { type: 'user_message', session_id: session.sessionId, data: { message: 'hi', history: [], metadata: { run_id: 'run-1' } } };
    world.scheduler.queue(record.vmId, message);
    expect(await frames(runtime, 3)).toEqual([
      INIT,
      {
        type: 'start_session',
        data: { session_id: session.sessionId, session_key: session.sessionKey, owner: 'me', runtime_type: 'semigraph', agent_id: 'main' },
      },
      message,
    ]);
    // What was written to its socket counts as delivered.
    await waitFor(() => record.acked === 2, { what: 'the ack of the outbox', ...PATIENT });
  });

  it('keeps its VM alive with heartbeats, which nobody answers', async () => {
    const { runtime, session } = await connected();
    const beats = world.scheduler.beats;
    for (let index = 0; index < 3; index += 1) runtime.heartbeat(session.sessionId);
    await waitFor(() => world.scheduler.beats > beats, { what: 'the beat at the scheduler', ...PATIENT });
    runtime.request('after', session.sessionId, 'memory_search', { query: 'tea' });
    expect((await frames(runtime, 2)).map(({ type }) => type)).toEqual(['init', 'response']);
  });

  it('asks and is answered; what it tells is handed on', async () => {
    const { runtime, record, session } = await connected();
    runtime.request('q1', session.sessionId, 'memory_search', { query: 'tea', top_k: 2 });
    expect((await frames(runtime, 2))[1]).toEqual({
      type: 'response',
      id: 'q1',
      result: { results: [{ id: 'mem_1', content: 'likes tea', score: 0.8, metadata: { kind: 'fact', created_at: '2026-11-21T10:00:00Z' } }] },
      error: null,
    });
    const usage = { type: 'fire_and_forget', session_id: session.sessionId, method: 'usage_report', params: { model: 'm', tokens_in: 1, tokens_out: 2 } };
    runtime.send(usage);
    await waitFor(() => record.submitted.length === 1, { what: 'the report', ...PATIENT });
    expect(record.submitted).toEqual([{ fseq: 1, frame: usage }]);
  });

  it('streams with numbers, which are acked and stored once, and without, which are not acked', async () => {
    const { runtime, record, session } = await connected();
    world.scheduler.queue(record.vmId, { type: 'user_message', session_id: session.sessionId, data: { message: 'hi', metadata: { run_id: 'run-s' } } });
    await frames(runtime, 2);
    runtime.event(session.sessionId, { type: 'text_chunk', content: 'a' }, 1);
    runtime.event(session.sessionId, { type: 'text_chunk', content: 'b' }, 2);
    runtime.event(session.sessionId, { type: 'text_chunk', content: 'c' });
    runtime.event(session.sessionId, { type: 'execution_complete' }, 3);
    expect((await frames(runtime, 5)).slice(2)).toEqual([1, 2, 3].map((seq) => ({ type: 'ack', session_id: session.sessionId, seq })));
    const stored = await world.stored(session.sessionId);
    expect(stored.map(({ runId, runSeq, event }) => [runId, runSeq, event])).toEqual([
      ['run-s', 1, { type: 'text_chunk', content: 'a' }],
      ['run-s', 2, { type: 'text_chunk', content: 'b' }],
      ['run-s', 3, { type: 'text_chunk', content: 'c' }],
      ['run-s', 4, { type: 'execution_complete' }],
    ]);
  });

  it('finding 2: is cancelled, and what ends its run is execution_complete {cancelled: true}', async () => {
    const { runtime, record, session } = await connected();
    runtime.onFrame = ({ type, data }) => {
      if (type === 'cancel') runtime.event(session.sessionId, { type: 'execution_complete', cancelled: true, reason: (data as { reason: string }).reason });
    };
    world.scheduler.queue(record.vmId, { type: 'user_message', session_id: session.sessionId, data: { message: 'hi', metadata: { run_id: 'run-c' } } });
    const cancel = { type: 'cancel', session_id: session.sessionId, data: { reason: 'user' }, reason: 'user' };
    world.scheduler.queue(record.vmId, cancel);
    expect((await frames(runtime, 3))[2]).toEqual(cancel);
    await waitFor(async () => (await world.stored(session.sessionId)).length === 1, { what: 'the end', ...PATIENT });
    expect((await world.stored(session.sessionId)).map(({ runId, event }) => [runId, event])).toEqual([
      ['run-c', { type: 'execution_complete', cancelled: true, reason: 'user' }],
    ]);
  });

  it('reconnects without a ticket, asks for its requests, and goes on numbering; it is not sent a message again', async () => {
    const { runtime, record, session } = await connected();
    world.scheduler.queue(record.vmId, { type: 'user_message', session_id: session.sessionId, data: { message: 'hi', metadata: { run_id: 'run-q' } } });
    await frames(runtime, 2);
    runtime.request('kept', session.sessionId, 'memory_write', { content: 'x' });
    runtime.event(session.sessionId, { type: 'text_chunk', content: 'a' }, 1);
    await frames(runtime, 4);
    // As if the answer had been lost with the socket.
    runtime.pending.add('kept').add('never-sent');
    Object.assign(record.sessions[0] as object, { runId: 'run-q' });
    runtime.cut();
    await waitFor(() => !record.attached, { what: 'the detach', ...PATIENT });
    const before = runtime.received.length;
    await runtime.connect();
    expect((await frames(runtime, before + 2)).slice(before)).toEqual([
      INIT,
      {
        type: 'resume_response',
        results: { kept: { status: 'completed', data: { id: 'mem_2', result: 'created' } }, 'never-sent': { status: 'not_found' } },
      },
    ]);
    runtime.event(session.sessionId, { type: 'text_chunk', content: 'b' }, 2);
    await waitFor(async () => (await world.stored(session.sessionId)).length === 2, { what: 'the second event', ...PATIENT });
    expect((await world.stored(session.sessionId)).map(({ runId, runSeq }) => [runId, runSeq])).toEqual([
      ['run-q', 1],
      ['run-q', 2],
    ]);
    expect(runtime.received.filter(({ type }) => type === 'user_message')).toHaveLength(1);
  });

  it('is not sent again on another gateway what it had, and is sent what came meanwhile', async () => {
    const { runtime, record, session } = await connected();
    const message = (text: string) => ({ type: 'user_message', session_id: session.sessionId, data: { message: text, metadata: { run_id: text } } });
    world.scheduler.queue(record.vmId, message('first'));
    await frames(runtime, 2);
    await waitFor(() => record.acked === 1, { what: 'the ack of the outbox', ...PATIENT });
    runtime.cut();
    await waitFor(() => !record.attached, { what: 'the detach', ...PATIENT });
    const before = runtime.received.length;
    world.scheduler.queue(record.vmId, message('second'));
    await runtime.connect(`${second.ws}/ws/vm`);
    const work = () => runtime.received.slice(before).filter(({ type }) => type === 'user_message');
    await waitFor(() => work().some((frame) => JSON.stringify(frame).includes('second')), { what: 'the second message', ...PATIENT });
    expect(work()).toEqual([message('second')]);
  });

  it('finds the answer of a remote tool on another gateway, which calls it no second time', async () => {
    const { runtime, session } = await connected();
    const before = world.owners.mcp.length;
    runtime.request('tool', session.sessionId, 'mcp_call', { server: 'tickets', tool: 'close', arguments: {} });
    await frames(runtime, 2);
    runtime.pending.add('tool');
    runtime.cut();
    const count = runtime.received.length;
    await runtime.connect(`${second.ws}/ws/vm`);
    const resumed = await waitFor(() => runtime.received.slice(count).find(({ type }) => type === 'resume_response'), { what: 'the answer', ...PATIENT });
    expect(resumed).toEqual({
      type: 'resume_response',
      results: { tool: { status: 'completed', data: { result: { content: [{ type: 'text', text: 'close done' }] } } } },
    });
    expect(world.owners.mcp).toHaveLength(before + 1);
  });

  it('goes on numbering behind its own run, also when something else was written into the session since', async () => {
    const { runtime, record, session } = await connected();
    const say = (content: string) =>
      runtime.send({ type: 'sse_event', session_id: session.sessionId, run_id: 'run-r', data: JSON.stringify({ type: 'text_chunk', content }) });
    for (const content of ['a', 'b']) say(content);
    await waitFor(async () => (await world.stored(session.sessionId)).length === 2, { what: 'the events', ...PATIENT });
    runtime.cut();
    await waitFor(() => !record.attached, { what: 'the detach', ...PATIENT });
    const note = { ...session, event: { type: 'message', text: 'a note', messageId: 'm' } };
    await world.mesh.operator.publish(sessionContracts.sessionEvent, { tenant: 'default', key: [session.sessionId], data: note });
    await runtime.connect();
    say('c');
    await waitFor(async () => (await world.stored(session.sessionId)).length === 4, { what: 'the third event of the run', ...PATIENT });
    expect((await world.stored(session.sessionId)).map(({ runId, runSeq }) => [runId, runSeq])).toEqual([
      ['run-r', 1],
      ['run-r', 2],
      [undefined, undefined],
      ['run-r', 3],
    ]);
  });

  describe('is turned away with the documented code', () => {
    it.each([
      ['4001: a ticket that is wrong', { VM_TICKET: 'not-mine' }, 4001, 'authentication failed'],
      ['4001: a token that is wrong', { VM_TOKEN: 'vm-none/1' }, 4001, 'authentication failed'],
      ['4001: no user', { VM_USER_ID: '' }, 4001, 'authentication failed'],
    ])('%s', async (_title, change, code, reason) => {
      const { runtime } = world.plain(change);
      await runtime.connect();
      expect(await closed(runtime)).toEqual({ code, reason });
      expect(runtime.received).toEqual([]);
    });

    it('4004: a VM that is gone', async () => {
      const { runtime, record } = await connected();
      world.scheduler.vms.delete(record.vmId);
      runtime.heartbeat();
      expect(await closed(runtime)).toEqual({ code: 4004, reason: 'no such user or VM' });
    });

    it('4008: no auth frame in time', async () => {
      const hasty = await world.mesh.gateway({ GATEWAY_VM_AUTH_MS: '400' });
      const client = await world.open({ user_id: 'me' }, hasty);
      expect(await client.end(PATIENT.timeoutMs)).toEqual({ code: 4008, reason: 'handshake timeout' });
      await hasty.stop();
    });

    it('4009: a newer connection of the same VM', async () => {
      const { runtime } = await connected();
      await runtime.connect();
      expect(await closed(runtime)).toEqual({ code: 4009, reason: 'replaced by a newer connection' });
    });

    it('4409: a newer incarnation, which it is told of', async () => {
      const { runtime, record } = await connected();
      record.epoch = 4;
      runtime.heartbeat();
      expect(await closed(runtime)).toEqual({ code: 4409, reason: 'fenced: a newer incarnation exists' });
      expect(runtime.received.at(-1)).toEqual({ type: 'fenced', current_epoch: 4 });
    });

    it('1012: a gateway that restarts', async () => {
      const third = await world.mesh.gateway();
      const { runtime } = world.plain();
      await runtime.connect(`${third.ws}/ws/vm`);
      await frames(runtime, 1);
      await third.stop();
      expect(await closed(runtime)).toEqual({ code: 1012, reason: 'service restart' });
    });
  });
});
