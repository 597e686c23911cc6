import { waitFor } from '@plexus/testing';
import { EventReader } from './support/event-reader.js';
import type { TestGateway } from './support/test-mesh.js';
import { TestVm } from './support/test-vm.js';
import { VmWorld } from './support/vm-world.js';

const PATIENT = { timeoutMs: 60_000 };

describe('what the VM protocol promises, on the side of the gateway', () => {
  let world: VmWorld;
  let second: TestGateway;

  beforeAll(async () => {
    world = await VmWorld.start();
    second = await world.mesh.gateway();
  });
  afterEach(() => world.reset());
  afterAll(() => world?.stop());

  it('finding 5: C1: of two sockets that show one ticket at once exactly one becomes the VM, and a reconnect needs none', async () => {
    const { vmId } = world.create();
    const query = { user_id: 'me', ticket: `ticket-${vmId}` };
    const sockets = await Promise.all([world.open(query), world.open(query)]);
    // Two processes with one stolen ticket: their nonces differ.
    for (const [index, socket] of sockets.entries()) socket.send({ ...new TestVm(vmId).auth, client_nonce: `nonce-of-${index}` });
    await waitFor(() => sockets.some(({ closed }) => closed !== undefined) && sockets.some(({ frames }) => frames.length > 0), {
      what: 'one refusal and one init',
      ...PATIENT,
    });
    const [refused] = sockets.filter(({ closed }) => closed !== undefined);
    const [admitted] = sockets.filter((socket) => socket !== refused);
    expect(refused?.closed).toEqual({ code: 4001, reason: 'authentication failed' });
    expect(refused?.frames).toEqual([]);
    expect(admitted?.frames[0]).toMatchObject({ type: 'init', protocol: 2 });
    admitted?.close();
    const again = await world.open({ user_id: 'me' });
    again.send(new TestVm(vmId).auth);
    expect(await again.frame('init')).toMatchObject({ conn_gen: 2 });
  });

  it('C9: a VM whose sends fail for a while keeps its place until it reconnects, once, and nothing of it is lost', async () => {
    const session = world.session();
    const { vm, record, client } = await world.connected({ sessions: [session] });
    vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'before' });
    await waitFor(() => vm.sender.acked === 1, { what: 'the first ack', ...PATIENT });
    // The socket is open on this side, but nothing of the VM gets through any more: neither heartbeats nor events.
    vm.client = undefined;
    vm.sender.disconnected();
    for (let runSeq = 2; runSeq <= 20; runSeq += 1) vm.event(session.sessionId, 'run-1', runSeq, { type: 'text_chunk', content: `${runSeq}` });
    world.scheduler.queue(vm.vmId, { type: 'config_update', data: { while: 'silent' } });
    expect([client.closed, record.attached]).toEqual([undefined, true]);

    const again = await world.connect(vm);
    expect(await client.end(PATIENT.timeoutMs)).toEqual({ code: 4009, reason: 'replaced by a newer connection' });
    await waitFor(() => vm.sender.acked === 20, { what: 'every ack', ...PATIENT });
    await waitFor(() => vm.received.length === 1, { what: 'what waited for the VM', ...PATIENT });
    again.send({ type: 'heartbeat', active_sessions: [session.sessionId] });
    await again.frame('heartbeat_ack');
    expect((await world.stored(session.sessionId)).map(({ runSeq }) => runSeq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    // The end of the replaced socket does not take the VM away from the newer one.
    expect([record.connGen, record.attached]).toEqual([2, true]);
  });

  it('finding 3: a run ends for a browser with the event execution_complete; there is no event done', async () => {
    const session = world.session();
    world.owners.sessions.set('me', []);
    const token = await world.mesh.jwt({ sub: 'me' });
    const url = `${second.http}/v1/sessions/${encodeURIComponent(session.sessionKey)}/stream`;
    const stream = new EventReader(url, { authorization: `Bearer ${token}` });
    await stream.ready();
    const { vm } = await world.connected({ sessions: [session] });
    vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'Hello' });
    vm.event(session.sessionId, 'run-1', 2, { type: 'execution_complete', usage: { input_tokens: 1, output_tokens: 1 } });
    vm.event(session.sessionId, 'run-2', 1, { type: 'text_chunk', content: 'next' });
    await waitFor(() => stream.events.length === 3, { what: 'the events', ...PATIENT });
    stream.close();
    expect(stream.types()).toEqual(['text_chunk', 'execution_complete', 'text_chunk']);
  });

  it('finding 7: work that comes before the answer to a resume is work all the same', async () => {
    const { runtime, record, session } = world.plain();
    await runtime.connect();
    await waitFor(() => runtime.received.length === 1, { what: 'init', ...PATIENT });
    runtime.cut();
    await waitFor(() => !record.attached, { what: 'the detach', ...PATIENT });
    runtime.pending.add('lost');
    world.scheduler.queue(record.vmId, { type: 'user_message', session_id: session.sessionId, data: { message: 'meanwhile', metadata: { run_id: 'r' } } });
    await runtime.connect();
    // In whatever order: the runtime reads frames in one place and goes by their type.
    await waitFor(() => runtime.received.length === 4, { what: 'init, the answer and the message', ...PATIENT });
    const types = runtime.received.slice(1).map(({ type }) => type);
    expect(types[0]).toBe('init');
    expect([...types].sort()).toEqual(['init', 'resume_response', 'user_message']);
  });
});
