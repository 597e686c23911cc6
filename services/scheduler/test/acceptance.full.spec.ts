import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runContracts, SCOPES, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { throwAwayFolder, waitFor } from '@plexus/testing';
import { Acceptance } from './support/acceptance.js';
import { bootstrapped } from './support/fake-gateway.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm, terminateVm, pauseVm, whyVm, vmHistory, endVmSession, listHosts, drainHost, vmLogs, refreshVmToken, verifyVmToken } = vmContracts;
const ADMIN = [SCOPES.admin, SCOPES.write, SCOPES.read];
const SHORT = { VM_IDLE_MS: '2000', VM_DRAIN_MS: '60000', VM_WORKSPACE_RETENTION_MS: '1000' };

describe('what the scheduler promises over a longer time', () => {
  let mesh: SchedulerMesh;
  const acceptance = new Acceptance(() => mesh);
  const { connections, connect, stateOf, becomes, readyVm, startRun, endRun, configure } = acceptance;

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    acceptance.closeAll();
    await mesh.forgetVms(); // what one test leaves neither opens the breaker nor counts for the next
  });
  afterAll(() => mesh.stop());

  it('A18: a host that is drained takes no new VM, lets runs finish, never has two of an owner, and goes on when it is put back', async () => {
    await mesh.only({ ...SHORT, VM_IDLE_MS: '600000' });
    const { vmId, runtime, connection } = await readyVm('ned');
    const run = await startRun('ned');
    await waitFor(async () => JSON.stringify(await connection.frames()).includes(run.runId), { timeoutMs: 60_000 });
    const { hosts } = await mesh.asGateway(listHosts, {}, TENANT);
    const host = hosts.find(({ provider }) => provider === 'local') as { hostId: string };
    await expect(mesh.asUser('ned', drainHost, { hostId: host.hostId }, ADMIN)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await mesh.asGateway(drainHost, { hostId: host.hostId }, TENANT);
    await becomes('ned', vmId, 'draining');
    expect((await connection.frames()).map(({ frame }) => frame.type)).toContain('drain');

    const { vmId: waiting } = await mesh.asUser('oda', ensureVm, {});
    await becomes('oda', waiting, 'backoff');
    await waitFor(async () => (await mesh.asUser('oda', getVm, { vmId: waiting })).vm.reason?.code === 'NO_HOST', { what: 'the reason of the wait' });
    expect(await stateOf('ned', vmId)).toBe('draining');
    await endRun(run);
    await becomes('ned', vmId, 'paused');
    await mesh.asUser('ned', ensureVm, {});
    await waitFor(async () => (await mesh.asUser('ned', getVm, { vmId })).vm.reason?.code === 'HOST_DRAINING', { timeoutMs: 60_000 });

    await mesh.asGateway(drainHost, { hostId: host.hostId, cancel: true }, TENANT);
    await connect(mesh, 'ned', await bootstrapped(mesh, vmId, runtime.epoch + 1));
    await becomes('ned', vmId, 'ready');
    await bootstrapped(mesh, waiting);
    const twice = await mesh.rows(
      `SELECT a.vm_id FROM vm_instances a JOIN vm_instances b ON b.vm_id = a.vm_id AND b.epoch > a.epoch WHERE b.started_at < coalesce(a.gone_at, 'infinity')`,
    );
    expect(twice).toEqual([]);
    await mesh.asUser('oda', terminateVm, { vmId: waiting });
  });

  it('A12: heartbeats, an open socket and a polling dashboard keep no VM alive; a run does, and the activity list says what did', async () => {
    await mesh.only(SHORT);
    const { vmId, runtime } = await readyVm('ida');
    await becomes('ida', vmId, 'paused'); // while its connection beats and this asks for it all the time
    for (const connection of connections.splice(0)) connection.close();

    const run = await startRun('ida');
    const next = await bootstrapped(mesh, vmId, runtime.epoch + 1);
    const connection = await connect(mesh, 'ida', next);
    await becomes('ida', vmId, 'ready');
    await connection.beat();
    await mesh.rows('SELECT pg_sleep(4)'); // twice the idle limit: the run is what is tested
    expect(await stateOf('ida', vmId)).toBe('ready');
    const why = await mesh.asUser('ida', whyVm, { vmId });
    expect(why.because).toContainEqual(`Run ${run.runId} of session ${run.sessionKey} has no end yet.`);
    expect(why.activity).toContainEqual(expect.objectContaining({ kind: 'run', source: `run ${run.runId} of ${run.sessionKey}` }));
    const endedAt = Date.now();
    await endRun(run);
    await becomes('ida', vmId, 'paused');
    expect(Date.now() - endedAt).toBeGreaterThan(1_500);
    expect((await mesh.asUser('ida', whyVm, { vmId })).activity.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['run-ended', 'run', 'created']));
    const { transitions } = await mesh.asUser('ida', vmHistory, { vmId });
    expect(transitions[0]).toMatchObject({ from: 'stopping', to: 'paused' });
    expect(transitions.map(({ cause }) => cause)).toContain('idle');
  });

  it('A13: a paused VM comes back with its files, a higher epoch and the newest snapshot of its session, again and again', async () => {
    await mesh.only({ ...SHORT, VM_IDLE_MS: '600000' });
    const { vmId, runtime, connection } = await readyVm('jan');
    const workspace = path.join(mesh.state.path, 'vms', vmId, 'workspace');
    const run = await startRun('jan');
    await waitFor(async () => JSON.stringify(await connection.frames()).includes(run.runId), { timeoutMs: 60_000 });
    await endRun(run);
    const snapshot = {
      type: 'fire_and_forget',
      session_id: run.sessionId,
      method: 'snapshot_sync',
      params: { version: 7, checkpoint: { step: 7 }, short_term_memory: {} },
    };
    await mesh.asGateway(vmContracts.submitVmFrame, { vmId, epoch: runtime.epoch, fseq: 1, frame: snapshot });
    let { epoch } = runtime;
    let open = connection;
    for (let round = 1; round <= 5; round += 1) {
      writeFileSync(path.join(workspace, `${round}.txt`), `${round}`);
      await waitFor(async () => (await mesh.asUser('jan', pauseVm, { vmId })).vm.desiredState === 'paused');
      if (round === 1) await becomes('jan', vmId, 'pausing');
      // Its runtime has sent snapshots under this epoch, so the pause waits for one more, and goes on without when it does not come.
      if (round === 1)
        await mesh.asGateway(vmContracts.submitVmFrame, { vmId, epoch, fseq: 2, frame: { ...snapshot, params: { ...snapshot.params, version: 8 } } });
      await becomes('jan', vmId, 'paused');
      open.close();
      const resumed = await mesh.asUser('jan', ensureVm, {});
      expect(resumed).toMatchObject({ vmId, created: false, resumed: true });
      const next = await bootstrapped(mesh, vmId, epoch + 1);
      expect(next.epoch).toBeGreaterThan(epoch);
      ({ epoch } = next);
      open = await connect(mesh, 'jan', next);
      await becomes('jan', vmId, 'ready');
    }
    for (let round = 1; round <= 5; round += 1) expect(readFileSync(path.join(workspace, `${round}.txt`), 'utf8')).toBe(`${round}`);
    await mesh.bus.publish(runContracts.startRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, runId: ulid(), message: 'on', history: [] } });
    const started = await waitFor(async () => (await open.frames()).find(({ frame }) => frame.type === 'start_session'), { timeoutMs: 60_000 });
    expect(started).toMatchObject({ frame: { data: { session_id: run.sessionId, snapshot: { version: 8, body: { checkpoint: { step: 7 } } } } } });
    expect((await mesh.asUser('jan', vmLogs, { vmId })).text).toContain('fake runtime');
    const { token } = await mesh.asGateway(refreshVmToken, { vmId, epoch, connGen: open.attached.connGen });
    expect(await mesh.asGateway(verifyVmToken, { token, userId: 'jan' })).toMatchObject({ vmId, epoch });
    await expect(mesh.asGateway(refreshVmToken, { vmId, epoch: epoch - 1, connGen: 1 })).rejects.toMatchObject({ code: 'VM_FENCED' });
  });

  it('waits for the host that has the workspace, and starts elsewhere with an empty one only when asked to', async () => {
    const first = await mesh.only({ ...SHORT, VM_IDLE_MS: '600000' });
    const { vmId, connection } = await readyVm('uli');
    await mesh.asUser('uli', pauseVm, { vmId });
    await becomes('uli', vmId, 'paused');
    connection.close();
    const [{ home }] = (await mesh.rows<{ home: string }>('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])) as [{ home: string }];
    await first.kill('SIGKILL');
    await mesh.rows(`UPDATE hosts SET beat_at = now() - interval '2 minutes' WHERE id = $1`, [home]);
    const elsewhere = throwAwayFolder('second-host');
    try {
      await mesh.scheduler({ ...SHORT, PLEXUS_STATE_DIR: elsewhere.path });
      await mesh.asUser('uli', ensureVm, {});
      await waitFor(async () => (await mesh.asUser('uli', getVm, { vmId })).vm.reason?.code === 'WORKSPACE_HOST_DOWN', { timeoutMs: 60_000 });
      expect(await mesh.rows('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])).toEqual([{ home }]);
      await mesh.asUser('uli', ensureVm, { allowEmptyWorkspace: true });
      const moved = await waitFor(
        async () => (await mesh.rows<{ home: string }>('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])).find((row) => row.home !== home),
        {
          timeoutMs: 60_000,
          what: 'the VM to be started on the other host',
        },
      );
      expect((await mesh.asGateway(listHosts, {}, TENANT)).hosts).toEqual(
        expect.arrayContaining([expect.objectContaining({ hostId: home, state: 'lost' }), expect.objectContaining({ hostId: moved.home, state: 'up' })]),
      );
      await mesh.asUser('uli', terminateVm, { vmId });
      await becomes('uli', vmId, 'terminated');
    } finally {
      await mesh.endSchedulers();
      // Known to be gone: new VMs must not wait for it until it counts as lost.
      await mesh.rows(`UPDATE hosts SET beat_at = now() - interval '2 minutes' WHERE id <> $1`, [home]);
      elsewhere.remove();
    }
  });

  it('A20: sessions have VMs of their own and take them along when they end; a shared one is the same for everybody', async () => {
    await mesh.only(SHORT);
    const sandbox = (scope: string, idleMs: number) => ({ scope, prune: { idleMs } });
    await configure(TENANT, {
      agents: {
        list: [
          { id: 'main', default: true, sandbox: sandbox('session', 700_000) },
          { id: 'team', sandbox: sandbox('shared', 1_000) },
        ],
      },
    });
    const refused = () =>
      mesh.asUser('pia', ensureVm, { agentId: 'main' }).then(
        ({ vmId }) => mesh.asUser('pia', terminateVm, { vmId }).then(() => undefined), // the configuration has not arrived yet
        (error: { code: string }) => error,
      );
    expect(await waitFor(refused, { timeoutMs: 60_000 })).toMatchObject({ code: 'INVALID_REQUEST' });
    const [one, two] = (await Promise.all(['s-1', 's-2'].map((sessionId) => mesh.asUser('pia', ensureVm, { agentId: 'main', sessionId })))) as unknown as [
      { vmId: string },
      { vmId: string },
    ];
    expect(one.vmId).not.toBe(two.vmId);
    expect(await mesh.rows('SELECT scope_key, idle_ms FROM vms WHERE id = ANY ($1) ORDER BY scope_key', [[one.vmId, two.vmId]])).toEqual([
      { scope_key: 'session:s-1', idle_ms: 700_000 },
      { scope_key: 'session:s-2', idle_ms: 700_000 },
    ]);
    await bootstrapped(mesh, one.vmId);
    const folder = path.join(mesh.state.path, 'vms', one.vmId);
    expect(existsSync(folder)).toBe(true);
    expect(await mesh.asUser('pia', endVmSession, { sessionId: 's-1' })).toEqual({ terminated: one.vmId });
    await becomes('pia', one.vmId, 'terminated');
    await waitFor(() => !existsSync(folder), { timeoutMs: 60_000, what: 'its workspace to be removed' });
    expect(await stateOf('pia', two.vmId)).not.toBe('terminated');

    const shared = await Promise.all(['pia', 'quin'].map((user) => mesh.asUser(user, ensureVm, { agentId: 'team' })));
    expect(new Set(shared.map(({ vmId }) => vmId)).size).toBe(1);
    expect(await mesh.rows('SELECT subject_id, scope_key, idle_ms FROM vms WHERE id = $1', [shared[0]?.vmId])).toEqual([
      { subject_id: '*', scope_key: 'shared', idle_ms: null },
    ]);
  });
});
