import { type DataOf, memoryContracts, runContracts, sessionContracts, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { PRUNE_STATEMENTS } from '../src/adapters/postgres/prune.js';
import { type Bootstrapped, bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const { startRun, cancelRunCommand, steerRun } = runContracts;
const { sessionEvent } = sessionContracts;
const { submitVmFrame, markVmInbox, attachVm, terminateVm, usageByDay } = vmContracts;

type SessionEvent = DataOf<typeof sessionContracts.sessionEvent>;
interface Run {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string;
  readonly runId: string;
}

describe('runs on VMs', () => {
  let mesh: SchedulerMesh;
  const connections: FakeConnection[] = [];

  const runOf = (owner: string, rest: Partial<Run> = {}): Run => ({
    sessionId: ulid(),
    sessionKey: 'agent:main:main',
    owner,
    agentId: 'main',
    runId: `run-${ulid()}`,
    ...rest,
  });
  const start = (run: Run, rest: Partial<DataOf<typeof startRun>> = {}) =>
    mesh.bus.publish(startRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, message: `hello from ${run.runId}`, history: [], ...rest } });
  const cancel = (run: Run) => mesh.bus.publish(cancelRunCommand, { tenant: TENANT, key: [run.sessionId], data: { ...run, reason: 'user' } });
  const vmIdOf = (owner: string): Promise<string> =>
    waitFor(
      async () => (await mesh.rows<{ id: string }>(`SELECT id FROM vms WHERE subject_id = $1 AND state NOT IN ('failed', 'terminated')`, [owner]))[0]?.id,
      {
        what: `a VM of ${owner}`,
      },
    );
  const connect = async (owner: string, runtime: Bootstrapped): Promise<FakeConnection> => {
    const connection = await FakeConnection.open(mesh, owner, runtime);
    connections.push(connection);
    return connection;
  };
  /** Starts a run of a new owner and brings its VM up. */
  const running = async (owner: string): Promise<{ run: Run; vmId: string; runtime: Bootstrapped; connection: FakeConnection }> => {
    const run = runOf(owner);
    await start(run);
    const vmId = await vmIdOf(owner);
    const runtime = await bootstrapped(mesh, vmId);
    const connection = await connect(owner, runtime);
    await waitFor(async () => (await connection.frames()).length === 2);
    return { run, vmId, runtime, connection };
  };
  /** What the gateway publishes for an event of the VM. */
  const emit = (run: Run, connection: FakeConnection, runSeq: number, event: sessionContracts.RunEvent) =>
    mesh.bus.publish(sessionEvent, {
      tenant: TENANT,
      key: [run.sessionId],
      data: { ...run, runSeq, vmId: connection.vmId, epoch: connection.epoch, event },
      msgId: `${connection.vmId}:${connection.epoch}:${run.runId}:${runSeq}`,
    });
  const stream = async (run: Run): Promise<SessionEvent[]> => {
    const subject = sessionEvent.subject(TENANT, run.sessionId);
    const last = await mesh.bus.lastOnSubject('PLEXUS_EVT_SESSION', subject);
    const events: SessionEvent[] = [];
    if (last === undefined) return events;
    await new Promise<void>((resolve) => {
      const reading = mesh.bus.readOrdered('PLEXUS_EVT_SESSION', { filter: subject, from: 'all' }, (message) => {
        events.push(message.json<{ data: SessionEvent }>().data);
        if (message.seq >= last.seq) void reading.stop().then(resolve);
      });
    });
    return events;
  };
  const endOf = (run: Run): Promise<SessionEvent> =>
    waitFor(async () => (await stream(run)).find(({ runId, event }) => runId === run.runId && event.type.startsWith('execution_')), {
      what: `the end of ${run.runId}`,
    });
  const stateOf = async (run: Run): Promise<string | undefined> =>
    (await mesh.rows<{ state: string }>('SELECT state FROM vm_runs WHERE session_id = $1 AND run_id = $2', [run.sessionId, run.runId]))[0]?.state;

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  beforeEach(() => mesh.only());
  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.close();
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  it('makes the VM of the owner, starts the session there once, and queues each message once, however often its command comes', async () => {
    const { run, vmId, connection } = await running('ada');
    const second = runOf('ada', { sessionId: run.sessionId });
    await start(run);
    await start(second, { history: [{ role: 'user', text: 'earlier' }], extraSystemPrompt: 'be brief', model: 'm2', timeoutMs: 90_000 });
    // Commands are worked on side by side: only one that is known already makes the next a repetition.
    await waitFor(() => stateOf(second), { what: 'the second run to be known' });
    await start(second);
    const frames = await waitFor(async () => ((list) => (list.length >= 3 ? list : undefined))(await connection.frames()));
    expect(frames.map(({ fseq, frame }) => [fseq, frame.type])).toEqual([
      [1, 'start_session'],
      [2, 'user_message'],
      [3, 'user_message'],
    ]);
    expect(frames[0]?.frame).toEqual({
      type: 'start_session',
      data: {
        session_id: run.sessionId,
        session_key: 'agent:main:main',
        owner: 'ada',
        runtime_type: 'semigraph',
        agent_id: 'main',
        agent_config: {},
        session_config: { timeout_seconds: 600 },
        skill_index: ['csv-profile', 'git-changelog', 'log-digest'].map((id) => expect.objectContaining({ id, source: 'builtin' })),
        mcp_servers: [],
        sub_agents: [],
      },
    });
    expect(frames[2]?.frame).toMatchObject({
      session_id: run.sessionId,
      data: {
        message: `hello from ${second.runId}`,
        history: [{ role: 'user', content: 'earlier' }],
        metadata: { run_id: second.runId, timeout_ms: 90_000, extra_system_prompt: 'be brief', model: 'm2' },
      },
    });
    await connection.ack(2);
    expect((await connection.frames(2)).map(({ fseq }) => fseq)).toEqual([3]);
    const again = await mesh.asGateway(attachVm, { vmId, epoch: connection.epoch, gateway: 'gw-2', protocol: 2, recvSeq: 2 });
    expect(again).toMatchObject({
      connGen: connection.attached.connGen + 1,
      serverSentSeq: 3,
      ackedSeq: 2,
      init: { user_id: 'ada', org_id: TENANT, api_keys: {} },
    });
    expect(again.init.sessions).toEqual([{ sessionId: run.sessionId, sessionKey: 'agent:main:main', owner: 'ada', agentId: 'main' }]);
    expect(await connection.frames()).toEqual([]); // a replaced connection gets nothing
    expect(await connection.beat()).toMatchObject({ status: 'replaced' });
  });

  it('passes on a message that holds what no database keeps, and parks a run whose very name does', async () => {
    const { connection } = await running('abe');
    const run = runOf('abe');
    await start(run, { message: 'a\u0000b \ud800 😀', history: [{ role: 'user', text: '\u0000' }] });
    const frames = await waitFor(async () => ((list) => (list.length >= 4 ? list : undefined))(await connection.frames()));
    expect(frames[3]?.frame).toMatchObject({ data: { message: 'a\ufffdb \ufffd 😀', history: [{ content: '\ufffd' }] } });
    await start({ ...run, runId: 'a\u0000' });
    await waitFor(() => mesh.bus.lastOnSubject('PLEXUS_DLQ', `plexus.dlq.${TENANT}.run.scheduler-run.v1.${run.sessionId}`));
  });

  it('hands a run whose runtime was killed to a new incarnation, behind a marker, numbered on from what is in the stream', async () => {
    const { run, vmId, runtime, connection } = await running('bob');
    await connection.ack(2);
    for (const runSeq of [1, 2, 3]) await emit(run, connection, runSeq, { type: 'text_chunk', content: String(runSeq) });
    process.kill(runtime.pid, 'SIGKILL');
    const next = await bootstrapped(mesh, vmId, runtime.epoch + 1);
    const successor = await connect('bob', next);
    const frames = await waitFor(async () => ((list) => (list.length >= 2 ? list : undefined))(await successor.frames()));
    expect(frames.map(({ fseq, frame }) => [fseq, frame.type])).toEqual([
      [1, 'start_session'],
      [2, 'user_message'],
    ]);
    expect(frames[1]?.frame).toMatchObject({ data: { message: `hello from ${run.runId}`, metadata: { run_id: run.runId, resume: true, run_seq_from: 4 } } });
    const marker = (await stream(run)).at(-1);
    expect(marker).toMatchObject({ event: { type: 'epoch_marker' }, epoch: next.epoch, vmId });
    expect(marker?.runId).toBeUndefined();

    // A late word of the old incarnation does not end the run; the new one's end does.
    await emit(run, connection, 4, { type: 'execution_complete', content: 'late' });
    const later = runOf('bob');
    await start(later);
    await waitFor(async () => (await stateOf(later)) === 'open');
    await emit(later, successor, 1, { type: 'execution_complete' });
    await waitFor(async () => (await stateOf(later)) === 'ended');
    expect(await stateOf(run)).toBe('open');
    await emit(run, successor, 4, { type: 'text_chunk', content: '4' });
    await emit(run, successor, 5, { type: 'execution_complete', content: '1234' });
    await waitFor(async () => (await stateOf(run)) === 'ended');
  });

  it('ends a run as VM_LOST when its second incarnation dies as well, once, and resumably', async () => {
    const { run, vmId, runtime } = await running('cora');
    process.kill(runtime.pid, 'SIGKILL');
    const second = await bootstrapped(mesh, vmId, runtime.epoch + 1);
    await connect('cora', second);
    await waitFor(async () => (await mesh.rows(`SELECT 1 FROM vm_runs WHERE run_id = $1 AND handed_epoch = $2`, [run.runId, second.epoch])).length === 1);
    process.kill(second.pid, 'SIGKILL');
    expect((await endOf(run)).event).toMatchObject({ type: 'execution_error', code: 'VM_LOST', resumable: true });
    await waitFor(async () => (await stateOf(run)) === 'ended');
    expect((await stream(run)).filter(({ event }) => event.type.startsWith('execution_'))).toHaveLength(1);
  });

  it('does not hand on a run whose end is in the stream already', async () => {
    const { run, vmId, runtime, connection } = await running('dan');
    const other = runOf('dan', { sessionKey: 'agent:main:other' });
    await start(other);
    await waitFor(async () => (await connection.frames()).length === 4);
    await mesh.endSchedulers(); // nobody reads the end
    await emit(run, connection, 1, { type: 'execution_complete', content: 'done' });
    process.kill(runtime.pid, 'SIGKILL');
    await mesh.scheduler();
    const successor = await connect('dan', await bootstrapped(mesh, vmId, runtime.epoch + 1));
    const frames = await waitFor(async () => ((list) => (list.length >= 2 ? list : undefined))(await successor.frames()));
    expect(frames.map(({ frame }) => (frame as { session_id?: string }).session_id ?? (frame as { data?: { session_id?: string } }).data?.session_id)).toEqual([
      other.sessionId,
      other.sessionId,
    ]);
    await waitFor(async () => (await stateOf(run)) === 'ended');
  });

  it('remembers a cancel that overtakes its start: the run ends at once and no VM is made for it', async () => {
    const run = runOf('eve');
    await cancel(run);
    await waitFor(async () => (await stateOf(run)) === 'cancelled');
    await start(run);
    expect((await endOf(run)).event).toMatchObject({ type: 'execution_complete', cancelled: true });
    expect(await mesh.rows(`SELECT id FROM vms WHERE subject_id = 'eve'`)).toEqual([]);
    await start(run);
    await waitFor(async () => (await stateOf(run)) === 'ended');
    expect((await stream(run)).filter(({ event }) => event.type === 'execution_complete')).toHaveLength(1);
  });

  it('cancels a run where it works, and writes the end itself when the runtime does not', async () => {
    const { run, connection } = await running('fay');
    await cancel(run);
    await cancel(run);
    const frames = await waitFor(async () => ((list) => (list.length >= 3 ? list : undefined))(await connection.frames()));
    expect(frames.slice(2).map(({ frame }) => frame)).toEqual([
      { type: 'cancel', session_id: run.sessionId, data: { reason: 'user', run_id: run.runId }, reason: 'user', run_id: run.runId },
    ]);
    expect(await stateOf(run)).toBe('open');
    const [row] = await mesh.rows<{ seconds: number }>(`SELECT extract(epoch FROM check_at - now())::float8 AS seconds FROM vm_runs WHERE run_id = $1`, [
      run.runId,
    ]);
    expect(row?.seconds).toBeGreaterThan(0);
    expect(row?.seconds).toBeLessThan(26);
    await mesh.rows(`UPDATE vm_runs SET check_at = now() WHERE run_id = $1`, [run.runId]); // the 25 s are over
    expect((await endOf(run)).event).toMatchObject({ type: 'execution_complete', cancelled: true, synthesized: true });
    await cancel(run); // over: nothing happens
    await waitFor(async () => (await stateOf(run)) === 'ended');
  });

  it('passes a further message on, once, also when it comes before the start or the incarnation changes', async () => {
    const run = runOf('gil');
    const steer = (message: string, id: string) =>
      mesh.bus.publish(steerRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, message }, id, msgId: null });
    await steer('first', 'steer-1');
    await start(run);
    const vmId = await vmIdOf('gil');
    const runtime = await bootstrapped(mesh, vmId);
    const connection = await connect('gil', runtime);
    await waitFor(async () => (await connection.frames()).length === 3);
    await steer('second', 'steer-2');
    await steer('second', 'steer-2');
    const frames = await waitFor(async () => ((list) => (list.length >= 4 ? list : undefined))(await connection.frames()));
    const messages = (list: typeof frames) => list.map(({ frame }) => (frame.data as { message?: string }).message).filter((message) => message !== undefined);
    expect(messages(frames)).toEqual([`hello from ${run.runId}`, 'first', 'second']);
    await connection.ack(3); // the second further message never arrived
    process.kill(runtime.pid, 'SIGKILL');
    const successor = await connect('gil', await bootstrapped(mesh, vmId, runtime.epoch + 1));
    const resumed = await waitFor(async () => ((list) => (list.length >= 3 ? list : undefined))(await successor.frames()));
    expect(messages(resumed)).toEqual([`hello from ${run.runId}`, 'second']);
  });

  it('ends a run as VM_UNAVAILABLE with the reason when no VM can be had, and a run of a VM that its owner ends as VM_LOST', async () => {
    const run = runOf('failing-hal');
    await start(run);
    await waitFor(async () => (await mesh.rows(`SELECT 1 FROM vms WHERE subject_id = 'failing-hal' AND reason_code IS NOT NULL`)).length === 1);
    await mesh.rows(`UPDATE vm_runs SET unavailable_at = now() WHERE run_id = $1`, [run.runId]); // the 120 s are over
    expect((await endOf(run)).event).toMatchObject({ type: 'execution_error', code: 'VM_UNAVAILABLE', error: expect.stringContaining('gibberish') });

    const other = runOf('failing-hal');
    await start(other);
    await waitFor(async () => (await stateOf(other)) === 'open');
    await mesh.asUser('failing-hal', terminateVm, { vmId: await vmIdOf('failing-hal') });
    expect((await endOf(other)).event).toMatchObject({ type: 'execution_error', code: 'VM_LOST' });
  });

  it('ends a run in which nothing happens as RUN_TIMEOUT, and lets one live in which something does', async () => {
    const { run: lively, connection } = await running('ida');
    const silent = runOf('ida');
    await start(silent, { timeoutMs: 1_500 });
    await emit(lively, connection, 1, { type: 'thinking', content: '…' });
    await mesh.rows(`UPDATE vm_runs SET check_at = now() WHERE run_id = $1`, [lively.runId]);
    expect((await endOf(silent)).event).toMatchObject({ type: 'execution_error', code: 'RUN_TIMEOUT' });
    expect(await stateOf(lively)).toBe('open');
    // Whoever still works on it is told to stop.
    const frames = await connection.frames();
    expect(frames.at(-1)?.frame).toMatchObject({ type: 'cancel', run_id: silent.runId });
  });

  it('finding 18: C12: keeps three snapshots of a session however late and often versions come, the newest among them, at least one of them full', async () => {
    const { run, vmId, connection } = await running('lee');
    const { epoch } = connection;
    let fseq = 0;
    const sync = (params: object) => {
      const frame = { type: 'fire_and_forget', session_id: run.sessionId, method: 'snapshot_sync', params };
      return mesh.asGateway(submitVmFrame, { vmId, epoch, fseq: ++fseq, frame });
    };
    // Every version from 1 to 40 in a wild order, ten of them twice, and from 30 on only deltas.
    const versions = [...Array.from({ length: 40 }, (_, index) => ((index * 17) % 40) + 1), ...Array.from({ length: 10 }, (_, index) => index * 4 + 1)];
    for (const version of versions) await sync({ version, kind: version >= 30 ? 'delta' : 'full', checkpoint: { version } });
    const kept = () =>
      mesh.rows<{ version: number; kind: string; at: Date; body: unknown }>(
        `SELECT version, kind, at, body FROM session_snapshots WHERE session_id = $1 ORDER BY version DESC`,
        [run.sessionId],
      );
    const before = await kept();
    expect(before.map(({ version, kind }) => [version, kind])).toEqual([
      [40, 'delta'],
      [39, 'delta'],
      [29, 'full'],
    ]);
    await sync({ version: 40, kind: 'full', unchanged: true });
    const after = await kept();
    expect(after.map(({ body }) => body)).toEqual(before.map(({ body }) => body));
    expect(Number(after[0]?.at)).toBeGreaterThan(Number(before[0]?.at));
    // What is kept is said, also of a frame that comes again; of a snapshot for a session of somebody else nothing is.
    const late = { type: 'fire_and_forget', session_id: run.sessionId, method: 'snapshot_sync', params: { version: 7, kind: 'full', checkpoint: 7 } };
    for (const seq of [fseq + 1, fseq + 1])
      expect(await mesh.asGateway(submitVmFrame, { vmId, epoch, fseq: seq, frame: late })).toMatchObject({ snapshot: 40 });
    const foreign = await mesh.asGateway(submitVmFrame, { vmId, epoch, fseq: fseq + 2, frame: { ...late, session_id: 'of-somebody-else' } });
    expect(foreign).toEqual({ recvSeq: fseq + 2, duplicate: false });
  });

  it('forgets a session that was deleted or reset: its VM is told, its snapshots and messages go, and what comes late is kept nowhere', async () => {
    const { run, vmId, connection } = await running('mia');
    const other = runOf('mia', { sessionKey: 'agent:main:other' });
    await start(other);
    await waitFor(async () => (await connection.frames()).length === 4);
    const { epoch } = connection;
    let fseq = 0;
    const sync = (sessionId: string) => {
      const frame = { type: 'fire_and_forget', session_id: sessionId, method: 'snapshot_sync', params: { checkpoint: 'private' } };
      return mesh.asGateway(submitVmFrame, { vmId, epoch, fseq: ++fseq, frame });
    };
    for (const { sessionId } of [run, other]) await sync(sessionId);
    const kept = (sessionId: string) => mesh.rows('SELECT 1 FROM session_snapshots WHERE session_id = $1', [sessionId]);
    const changed = (of: Run, change: 'deleted' | 'reset') => {
      const { runId: _, ...session } = of;
      const over = change === 'deleted' ? {} : { sessionId: ulid(), previousSessionId: of.sessionId };
      return mesh.bus.publish(sessionContracts.sessionChanged, {
        tenant: TENANT,
        key: [over.sessionId ?? of.sessionId],
        data: { ...session, ...over, change },
      });
    };
    // While a run of it goes on only snapshots go; the rest when that has its end.
    await changed(run, 'deleted');
    await waitFor(async () => (await kept(run.sessionId)).length === 0, { what: 'the snapshots to go' });
    expect(await mesh.rows('SELECT 1 FROM vm_sessions WHERE session_id = $1', [run.sessionId])).toHaveLength(1);
    await emit(run, connection, 1, { type: 'execution_complete', cancelled: true });
    const gone = async (sessionId: string) => (await mesh.rows('SELECT 1 FROM vm_sessions WHERE session_id = $1', [sessionId])).length === 0;
    await waitFor(() => gone(run.sessionId), { what: 'the session to be forgotten' });
    expect(await mesh.rows('SELECT command FROM vm_runs WHERE session_id = $1', [run.sessionId])).toEqual([{ command: null }]);
    expect((await connection.frames()).filter(({ frame }) => frame.type === 'stop_session').map(({ frame }) => frame.data)).toMatchObject([
      { session_id: run.sessionId },
    ]);
    await sync(run.sessionId);
    expect([await kept(run.sessionId), (await kept(other.sessionId)).length]).toEqual([[], 1]);

    await emit(other, connection, 1, { type: 'execution_complete' });
    await waitFor(async () => (await stateOf(other)) === 'ended');
    await changed(other, 'reset');
    await waitFor(() => gone(other.sessionId), { what: 'the session before the reset to be forgotten' });
    expect(await kept(other.sessionId)).toEqual([]);
  });

  it('forgets what was used after 400 days', async () => {
    const { run, vmId, connection } = await running('usa');
    const { epoch } = connection;
    const frame = (model: string) => ({
      type: 'fire_and_forget',
      session_id: run.sessionId,
      method: 'usage_report',
      params: { model, tokens_in: 1, tokens_out: 1 },
    });
    for (const [index, model] of ['old', 'kept', 'new'].entries()) await mesh.asGateway(submitVmFrame, { vmId, epoch, fseq: index + 1, frame: frame(model) });
    await mesh.rows(`UPDATE usage SET at = now() - interval '400 days 1 minute' WHERE vm_id = $1 AND model = 'old'`, [vmId]);
    await mesh.rows(`UPDATE usage SET at = now() - interval '399 days' WHERE vm_id = $1 AND model = 'kept'`, [vmId]);
    for (const [name, sql] of PRUNE_STATEMENTS) if (name === 'prune_usage') await mesh.rows(sql);
    expect(await mesh.rows('SELECT model FROM usage WHERE vm_id = $1 ORDER BY id', [vmId])).toEqual([{ model: 'kept' }, { model: 'new' }]);
  });

  it('applies what a VM reports once, answers what it asks, and keeps what it cannot apply out of the way', async () => {
    const { run, vmId, connection } = await running('kim');
    const { epoch } = connection;
    const call = (fseq: number, method: string, params: object, rest: object = {}) =>
      mesh.asGateway(submitVmFrame, { vmId, epoch, fseq, frame: { type: 'fire_and_forget', session_id: run.sessionId, method, params, ...rest } });
    expect(await mesh.asGateway(markVmInbox, { vmId, epoch, upTo: 3 })).toEqual({ recvSeq: 3 });
    expect(await mesh.asGateway(markVmInbox, { vmId, epoch, upTo: 1 })).toEqual({ recvSeq: 3 });
    const report = { model: 'echo', tokens_in: 5, tokens_out: 7, run_id: run.runId, cache_read_tokens: 3, cache_write_tokens: 1 };
    expect(await call(4, 'usage_report', report)).toEqual({ recvSeq: 4, duplicate: false });
    expect(await call(4, 'usage_report', report)).toEqual({ recvSeq: 4, duplicate: true });
    await call(5, 'audit_log', { event: 'skill_skipped', details: { skill: 'x' } });
    await call(6, 'memory_write', { content: 'likes tea', memory_type: 'preference' });
    for (const fseq of [7, 8, 9, 10, 11]) await call(fseq, 'snapshot_sync', { checkpoint: fseq });
    expect(await call(12, 'usage_report', { model: 7 })).toEqual({ recvSeq: 12, duplicate: false });
    expect(await call(13, 'no_such_method', {}, { type: 'request', id: 'r1' })).toEqual({ recvSeq: 13, duplicate: false });
    await call(14, 'audit_log', { event: 'spoofed' }, { session_id: 'somebody-elses' });

    expect(await mesh.rows(`SELECT tokens_in, tokens_out, subject_id, owner, session_key, run_id FROM usage WHERE vm_id = $1`, [vmId])).toEqual([
      { tokens_in: 5, tokens_out: 7, subject_id: 'kim', owner: 'kim', session_key: run.sessionKey, run_id: run.runId },
    ]);
    const counts = { calls: 1, tokensIn: 5, tokensOut: 7, cacheRead: 3, cacheWrite: 1 };
    const used = { sessionId: run.sessionId, model: 'echo', ...counts, day: expect.any(String), lastAt: expect.any(String) };
    const ever = { from: '0000-01-01', to: '9999-12-31' };
    expect(await mesh.asUser('kim', usageByDay, ever)).toEqual({ rows: [used], more: false });
    expect(await mesh.asUser('somebody', usageByDay, ever)).toEqual({ rows: [], more: false });
    expect(await mesh.rows(`SELECT event FROM vm_audit WHERE vm_id = $1`, [vmId])).toEqual([{ event: 'skill_skipped' }]);
    expect(await mesh.rows(`SELECT body FROM session_snapshots WHERE session_id = $1 ORDER BY version`, [run.sessionId])).toEqual(
      [9, 10, 11].map((checkpoint) => ({ body: { checkpoint } })),
    );
    expect(await mesh.rows(`SELECT seq, code FROM vm_dead_letters WHERE vm_id = $1 ORDER BY seq`, [vmId])).toEqual([
      { seq: 12, code: 'INVALID_REQUEST' },
      { seq: 13, code: 'METHOD_NOT_FOUND' },
      { seq: 14, code: 'INVALID_REQUEST' },
    ]);
    expect((await connection.frames(2)).map(({ frame }) => frame)).toEqual([
      { type: 'response', id: 'r1', result: null, error: { code: 'METHOD_NOT_FOUND', message: 'There is no such method.' } },
    ]);
    const memory = await waitFor(() => mesh.bus.lastOnSubject('PLEXUS_CMD_MEMORY', memoryContracts.writeMemoryCommand.subject(TENANT, 'user:kim')));
    expect(memory.json<{ data: object }>().data).toMatchObject({ user: 'kim', content: 'likes tea', kind: 'preference' });
  });
});
