import { sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { SchedulerStandIn } from './support/scheduler-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';
import { TestVm, VmSocketClient } from './support/test-vm.js';

describe('the sockets of VMs', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let scheduler: SchedulerStandIn;
  let number = 0;
  const clients: VmSocketClient[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    scheduler = new SchedulerStandIn(await mesh.standIn('scheduler'));
    gateway = await mesh.gateway();
  });
  afterEach(() => {
    scheduler.failing.clear();
    scheduler.refused.clear();
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => mesh?.stop());

  const sessionOf = (owner = 'me') => ({ sessionId: ulid(), sessionKey: 'agent:main:main', owner, agentId: 'main' });

  async function connected(o: { sessions?: ReturnType<typeof sessionOf>[] } = {}) {
    const vmId = `vm-${++number}`;
    const record = scheduler.create(vmId, o);
    const vm = new TestVm(vmId);
    const client = await vm.connect(gateway.ws);
    clients.push(client);
    return { vm, client, record };
  }

  async function open(query: Record<string, string>): Promise<VmSocketClient> {
    const client = await VmSocketClient.open(gateway.ws, query);
    clients.push(client);
    return client;
  }

  /** Everything stored of a session, in stream order. */
  async function stored(sessionId: string, tenant = 'default') {
    const subject = sessionContracts.sessionEvent.subject(tenant, sessionId);
    const last = await mesh.operator.lastOnSubject('PLEXUS_EVT_SESSION', subject);
    const events: { runSeq: number; runId: string; epoch: number; vmId: string; owner: string; event: { type: string; content?: string } }[] = [];
    if (last === undefined) return events;
    await new Promise<void>((resolve) => {
      const reading = mesh.operator.readOrdered('PLEXUS_EVT_SESSION', { filter: subject, from: 'all' }, (message) => {
        events.push(message.json<{ data: (typeof events)[number] }>().data);
        if (message.seq < last.seq) return;
        void reading.stop();
        resolve();
      });
    });
    return events;
  }

  describe('admission', () => {
    it('answers init with the marks of both directions, and keeps the session map to itself', async () => {
      const { client, record } = await connected({ sessions: [sessionOf()] });
      expect(client.frames[0]).toMatchObject({
        type: 'init',
        protocol: 2,
        conn_gen: 1,
        lease_ms: 30_000,
        heartbeat_ms: 10_000,
        server_recv_seq: 0,
        server_sent_seq: 0,
      });
      expect(client.frames[0].data).toEqual({ user_id: 'me', org_id: 'default', api_keys: {} });
      expect(record.attached).toBe(true);
    });

    it('lets a ticket in once, and a reconnect without one', async () => {
      const { vm, client } = await connected();
      const second = await open({ user_id: 'me', ticket: `ticket-${vm.vmId}` });
      second.send(vm.auth);
      expect(await second.end()).toMatchObject({ code: 4001 });
      client.close();
      clients.push(await vm.connect(gateway.ws));
    });

    it.each([
      ['no user_id', {}, { type: 'auth', token: 'x/1' }],
      ['a wrong token', { user_id: 'me' }, { type: 'auth', token: 'nobody/1' }],
      ['the token of another user', { user_id: 'ann' }, { type: 'auth', token: 'vm-1/1' }],
      [
        'another VM than its token says',
        { user_id: 'me' },
        { type: 'auth', token: 'vm-1/1', protocol: 2, vm_id: 'vm-2', epoch: 1, client_nonce: 'nonce-nonce', recv_seq: 0, sent_seq: 0 },
      ],
      ['a frame before auth', { user_id: 'me' }, { type: 'heartbeat', active_sessions: [] }],
      ['auth without a token', { user_id: 'me' }, { type: 'auth' }],
      ['no frame at all', { user_id: 'me' }, '{'],
    ])('closes %s with 4001', async (_title, query, first) => {
      const client = await open(query as unknown as Record<string, string>);
      client.send(first);
      expect(await client.end()).toEqual({ code: 4001, reason: 'authentication failed' });
    });

    it('closes with 4008 whoever does not authenticate in time', async () => {
      const hasty = await mesh.gateway({ GATEWAY_VM_AUTH_MS: '400' });
      const client = await VmSocketClient.open(hasty.ws, { user_id: 'me' });
      clients.push(client);
      expect(await client.end()).toMatchObject({ code: 4008 });
      await hasty.stop();
    });

    it('tells an incarnation that a newer one lives, and closes with 4409', async () => {
      scheduler.create('vm-old').epoch = 7;
      const client = await open({ user_id: 'me' });
      client.send(new TestVm('vm-old', 3).auth);
      expect(await client.frame('fenced')).toEqual({ type: 'fenced', current_epoch: 7 });
      expect(await client.end()).toMatchObject({ code: 4409 });
    });

    it('waits for a scheduler that is away for a moment instead of turning the VM away', async () => {
      scheduler.failing.add('verify').add('attach');
      const vm = new TestVm('vm-patient');
      scheduler.create('vm-patient');
      const connecting = vm.connect(gateway.ws);
      setTimeout(() => scheduler.failing.clear(), 500);
      clients.push(await connecting);
    });

    it('replaces an older connection of the same VM (4009)', async () => {
      const { vm, client } = await connected();
      clients.push(await vm.connect(gateway.ws));
      expect(await client.end()).toMatchObject({ code: 4009 });
    });
  });

  describe('events of runs', () => {
    it('are stored with what the gateway knows of their session, and acked when they and the mark are durable', async () => {
      const session = sessionOf('ann');
      const { vm, record } = await connected({ sessions: [session] });
      vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'Hel' });
      vm.event(session.sessionId, 'run-1', 2, { type: 'text_chunk', content: 'lo' });
      await waitFor(() => vm.sender.acked === 2, { what: 'the ack' });
      expect(record.mark).toBe(2);
      expect(await stored(session.sessionId)).toEqual([
        { ...session, runId: 'run-1', runSeq: 1, vmId: vm.vmId, epoch: 1, event: { type: 'text_chunk', content: 'Hel' } },
        { ...session, runId: 'run-1', runSeq: 2, vmId: vm.vmId, epoch: 1, event: { type: 'text_chunk', content: 'lo' } },
      ]);
    });

    it('of a session that started on this connection need no session map of the attach', async () => {
      const session = sessionOf();
      const { vm } = await connected();
      const data = { session_id: session.sessionId, session_key: session.sessionKey, owner: 'me', agent_id: 'main' };
      scheduler.queue(vm.vmId, { type: 'start_session', data });
      await waitFor(() => vm.received.length === 1, { what: 'start_session' });
      vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'x' });
      await waitFor(async () => (await stored(session.sessionId)).length === 1, { what: 'the event' });
    });

    it('of an unknown session, or that are none, are consumed and handed to the scheduler, once', async () => {
      const { vm, record } = await connected();
      vm.event(ulid(), 'run-1', 1, { type: 'text_chunk', content: 'x' });
      const session = sessionOf();
      record.sessions.push(session);
      vm.offer({ type: 'sse_event', session_id: session.sessionId, data: 'not json' });
      await waitFor(() => vm.sender.acked === 2, { what: 'the ack' });
      expect(record.submitted.map(({ fseq, frame }) => [fseq, frame.type])).toEqual([
        [1, 'sse_event'],
        [2, 'sse_event'],
      ]);
    });

    it('are not acked while the scheduler is away; the socket stays, and everything follows', async () => {
      const session = sessionOf();
      const { vm, client } = await connected({ sessions: [session] });
      scheduler.failing.add('mark');
      vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'x' });
      await waitFor(async () => (await stored(session.sessionId)).length === 1, { what: 'the event' });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect([vm.sender.acked, client.closed]).toEqual([0, undefined]);
      scheduler.failing.clear();
      await waitFor(() => vm.sender.acked === 1, { what: 'the ack' });
    });

    it('survive a nats-server that is killed in the middle', async () => {
      const session = sessionOf();
      const { vm, client } = await connected({ sessions: [session] });
      for (let runSeq = 1; runSeq <= 50; runSeq += 1) vm.event(session.sessionId, 'run-k', runSeq, { type: 'text_chunk', content: `${runSeq} ` });
      await mesh.nats.kill();
      for (let runSeq = 51; runSeq <= 100; runSeq += 1) vm.event(session.sessionId, 'run-k', runSeq, { type: 'text_chunk', content: `${runSeq} ` });
      await mesh.nats.restart();
      await waitFor(() => vm.sender.acked === 100, { what: 'every ack', timeoutMs: 60_000 });
      expect(client.closed).toBeUndefined();
      expect((await stored(session.sessionId)).map(({ runSeq }) => runSeq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    }, 180_000);

    it('arrive once, in order and without a gap however often the socket is cut, also on another gateway', async () => {
      const second = await mesh.gateway();
      const sessions = [sessionOf(), sessionOf('ann')];
      const vmId = `vm-${++number}`;
      const record = scheduler.create(vmId, { sessions });
      const vm = new TestVm(vmId);
      const CUTS = 7;
      let cuts = 0;
      let sent = Number.POSITIVE_INFINITY;
      const cutter = (async () => {
        while (vm.sender.acked < sent) {
          vm.cut();
          clients.push(await vm.connect(cuts % 3 === 2 ? second.ws : gateway.ws));
          cuts += 1;
          await new Promise((resolve) => setTimeout(resolve, 20 + ((cuts * 37) % 120)));
          if (cuts > 500) throw new Error('it never ends');
        }
      })();
      await waitFor(() => cuts > 0, { what: 'the first connection' });
      let runSeq = 0;
      while (cuts < CUTS) {
        runSeq += 1;
        for (const { sessionId } of sessions) vm.event(sessionId, 'run-c', runSeq, { type: 'text_chunk', content: 'x' });
        if (runSeq % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
      for (const { sessionId } of sessions) vm.event(sessionId, 'run-c', runSeq + 1, { type: 'execution_complete' });
      sent = 2 * (runSeq + 1);
      await cutter;
      expect(record.mark).toBe(sent);
      for (const { sessionId } of sessions) {
        const events = await stored(sessionId);
        expect(events.map((event) => event.runSeq)).toEqual(Array.from({ length: runSeq + 1 }, (_, index) => index + 1));
        expect(events.filter(({ event }) => event.type === 'execution_complete')).toHaveLength(1);
      }
      await second.stop();
    }, 180_000);
  });

  describe('other frames', () => {
    it('reach the scheduler in frame order, behind everything that came before them', async () => {
      const session = sessionOf();
      const { vm, record } = await connected({ sessions: [session] });
      for (let index = 0; index < 20; index += 1) {
        vm.event(session.sessionId, 'run-1', index + 1, { type: 'text_chunk', content: 'x' });
        vm.offer({ type: 'fire_and_forget', session_id: session.sessionId, method: 'usage_report', params: { model: 'm', tokens_in: index, tokens_out: 1 } });
      }
      await waitFor(() => vm.sender.acked === 40, { what: 'the acks' });
      expect(record.submitted.map(({ fseq }) => fseq)).toEqual(Array.from({ length: 20 }, (_, index) => 2 * index + 2));
    });

    it('with a snapshot are confirmed by its version once the scheduler has them', async () => {
      const session = sessionOf();
      const { vm, client, record } = await connected({ sessions: [session] });
      vm.offer({ type: 'fire_and_forget', session_id: session.sessionId, method: 'snapshot_sync', params: { version: 3, kind: 'full', checkpoint: 1 } });
      expect(await client.frame('snapshot_ack')).toMatchObject({ session_id: session.sessionId, version: 3 });
      expect(record.submitted).toHaveLength(1);
    });

    it('with a snapshot that the scheduler does not keep are consumed and not confirmed', async () => {
      const session = sessionOf();
      const { vm, client } = await connected({ sessions: [session] });
      const sync = (version: number) =>
        vm.offer({ type: 'fire_and_forget', session_id: session.sessionId, method: 'snapshot_sync', params: { version, kind: 'full', checkpoint: 1 } });
      scheduler.keepsNothingOf.add(session.sessionId);
      sync(3);
      await waitFor(() => vm.sender.acked === 1, { what: 'the ack' });
      scheduler.keepsNothingOf.clear();
      sync(4);
      expect(await client.frame('snapshot_ack')).toMatchObject({ session_id: session.sessionId, version: 4 });
    });

    it('are repeated until the scheduler is back', async () => {
      const { vm, record } = await connected();
      scheduler.failing.add('frame');
      vm.offer({ type: 'run_accepted', session_id: 's', run_id: 'r' });
      setTimeout(() => scheduler.failing.clear(), 300);
      await waitFor(() => vm.sender.acked === 1, { what: 'the ack' });
      expect(record.submitted).toHaveLength(1);
    });

    it('that the scheduler refuses for good are consumed, not repeated for ever', async () => {
      const { vm } = await connected();
      scheduler.refused.add('run_accepted');
      vm.offer({ type: 'run_accepted', session_id: 's', run_id: 'r' });
      await waitFor(() => vm.sender.acked === 1, { what: 'the ack' });
    });

    it('close the connection with 4409 once the incarnation is fenced', async () => {
      const { vm, client, record } = await connected();
      record.epoch = 5;
      vm.offer({ type: 'run_accepted', session_id: 's', run_id: 'r' });
      expect(await client.frame('fenced')).toEqual({ type: 'fenced', current_epoch: 5 });
      expect(await client.end()).toMatchObject({ code: 4409 });
    });
  });

  describe('frames for the VM', () => {
    it('come in order, on a hint, and are acked to the scheduler', async () => {
      const { vm, record } = await connected();
      for (let index = 0; index < 300; index += 1) scheduler.queue(vm.vmId, { type: 'config_update', data: { index } });
      await waitFor(() => vm.received.length === 300, { what: 'the frames' });
      expect(vm.received.map(({ data }) => data.index)).toEqual(Array.from({ length: 300 }, (_, index) => index));
      await waitFor(() => record.acked === 300, { what: 'the ack' });
    });

    it('that waited for a connection come with it, behind what the VM has already', async () => {
      const { vm } = await connected();
      scheduler.queue(vm.vmId, { type: 'config_update', data: { index: 0 } });
      await waitFor(() => vm.received.length === 1, { what: 'the first frame' });
      vm.cut();
      scheduler.queue(vm.vmId, { type: 'config_update', data: { index: 1 } });
      clients.push(await vm.connect(gateway.ws));
      await waitFor(() => vm.received.length === 2, { what: 'the second frame' });
      expect(vm.received.map(({ data }) => data.index)).toEqual([0, 1]);
    });

    it('whose hint was lost are found by the next heartbeat', async () => {
      const { vm, client } = await connected();
      scheduler.queue(vm.vmId, { type: 'config_update', data: {} }, { hint: false });
      client.send({ type: 'heartbeat', active_sessions: [] });
      await waitFor(() => vm.received.length === 1, { what: 'the frame' });
    });

    it('are sent again from where the VM says that it misses one', async () => {
      const { vm, client } = await connected();
      client.onFrame = () => undefined;
      scheduler.queue(vm.vmId, { type: 'config_update', data: {} });
      scheduler.queue(vm.vmId, { type: 'config_update', data: {} });
      await client.frame('config_update', ({ fseq }) => fseq === 2);
      client.send({ type: 'nack', expected: 1 });
      await waitFor(() => client.frames.filter(({ fseq }) => fseq === 1).length === 2, { what: 'the repeat' });
    });
  });

  it('renews the token of a reliable VM at once and then in time, and turns away one that was fenced meanwhile', async () => {
    scheduler.tokenRefreshMs = 100;
    try {
      const { client, vm, record } = await connected();
      await waitFor(() => client.frames.filter(({ type }) => type === 'token_refresh').length >= 2, { timeoutMs: 60_000, what: 'two new tokens' });
      expect(client.frames.find(({ type }) => type === 'token_refresh')).toEqual({ type: 'token_refresh', token: `${vm.vmId}/1/1` });
      record.epoch = 2;
      expect(await client.end()).toMatchObject({ code: 4409 });
    } finally {
      scheduler.tokenRefreshMs = undefined;
    }
  });

  describe('heartbeats', () => {
    it('are answered one by one, with the lease and what is wanted of the VM', async () => {
      const { client } = await connected();
      for (let index = 0; index < 3; index += 1) client.send({ type: 'heartbeat', active_sessions: [] });
      await waitFor(() => client.frames.filter(({ type }) => type === 'heartbeat_ack').length === 3, { what: 'three acks' });
      const { server_time: now, lease_until_ms: until, desired } = client.frames.find(({ type }) => type === 'heartbeat_ack');
      expect([until - now, desired]).toEqual([30_000, 'running']);
    });

    it('wait while the scheduler is away', async () => {
      const { client } = await connected();
      scheduler.failing.add('beat');
      client.send({ type: 'heartbeat', active_sessions: [] });
      setTimeout(() => scheduler.failing.clear(), 300);
      await client.frame('heartbeat_ack');
    });

    it('turn away whom the scheduler has fenced or forgotten', async () => {
      const fenced = await connected();
      fenced.record.epoch = 2;
      fenced.client.send({ type: 'heartbeat', active_sessions: [] });
      expect(await fenced.client.end()).toMatchObject({ code: 4409 });
      const forgotten = await connected();
      scheduler.vms.delete(forgotten.vm.vmId);
      forgotten.client.send({ type: 'heartbeat', active_sessions: [] });
      expect(await forgotten.client.end()).toMatchObject({ code: 4004 });
    });
  });
});
