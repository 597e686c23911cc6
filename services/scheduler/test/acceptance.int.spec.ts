import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUCKETS, runContracts, SCOPES, sessionContracts, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { throwAwayFolder, waitFor } from '@plexus/testing';
import { bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { MODEL_KEY, SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm, listVms, terminateVm, pauseVm, touchVm, whyVm, vmHistory, endVmSession, listHosts, drainHost, vmLogs, refreshVmToken, verifyVmToken } =
  vmContracts;
const ADMIN = [SCOPES.admin, SCOPES.write, SCOPES.read];
const { putVmSecret, listVmSecrets, deleteVmSecret } = vmContracts;
const MASTER = 'master-key-of-the-test-8f3a6c1b9d2e4750';
const SHORT = { VM_IDLE_MS: '2000', VM_DRAIN_MS: '60000', VM_WORKSPACE_RETENTION_MS: '1000' };

describe('what the scheduler promises', () => {
  let mesh: SchedulerMesh;
  const connections: FakeConnection[] = [];

  const connect = async (...args: Parameters<typeof FakeConnection.open>): Promise<FakeConnection> => {
    const connection = await FakeConnection.open(...args);
    connections.push(connection);
    return connection;
  };
  const stateOf = async (user: string, vmId: string): Promise<string> => (await mesh.asUser(user, getVm, { vmId })).vm.state;
  const becomes = (user: string, vmId: string, state: string): Promise<unknown> =>
    waitFor(async () => (await stateOf(user, vmId)) === state, { timeoutMs: 30_000, what: `${vmId} to be ${state}` });
  /** Ensures a VM and plays its runtime's part until it is ready. */
  const readyVm = async (user: string, input: Parameters<typeof mesh.asUser<typeof ensureVm>>[2] = {}, fromEpoch = 1) => {
    const answer = await mesh.asUser(user, ensureVm, input);
    const runtime = await bootstrapped(mesh, answer.vmId, fromEpoch);
    const subject = input.scope === 'shared' ? '*' : user;
    const connection = await connect(mesh, subject, runtime);
    await becomes(user, answer.vmId, 'ready');
    return { ...answer, runtime, connection };
  };
  const startRun = async (user: string) => {
    const run = { sessionId: ulid(), sessionKey: 'agent:main:main', owner: user, agentId: 'main', runId: ulid() };
    await mesh.bus.publish(runContracts.startRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, message: 'hi', history: [] } });
    return run;
  };
  const endRun = (run: Awaited<ReturnType<typeof startRun>>): Promise<unknown> =>
    mesh.bus.publish(sessionContracts.sessionEvent, {
      tenant: TENANT,
      key: [run.sessionId],
      data: { ...run, event: { type: 'execution_complete', content: 'done' } },
    });
  const configure = async (key: string, document: object): Promise<void> => {
    await (await mesh.bus.kv(BUCKETS.config)).put(key, document);
  };

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(() => {
    for (const connection of connections.splice(0)) connection.close();
  });
  afterAll(() => mesh.stop());

  it('A11: a tenant with a quota of 5 gets 5 VMs of 20 that are wanted at once, 15 refusals, and one more for each that goes', async () => {
    await configure('_', { tenants: { [TENANT]: { limits: { vms: 5 } }, other: {} } });
    const [scheduler] = await Promise.all([mesh.scheduler(SHORT), mesh.scheduler(SHORT)]);
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => mesh.asUser(`quota-${index}`, ensureVm, {})));
    const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.vmId] : []));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as { code: string; details: object }] : []));
    expect([made.length, refused.length]).toEqual([5, 15]);
    for (const error of refused) expect(error).toMatchObject({ code: 'QUOTA_EXCEEDED', retryable: true, details: { limit: 5, live: 5, what: 'tenant' } });

    const [gone] = made as [string];
    await mesh.asUser('op', terminateVm, { vmId: gone }, ADMIN);
    await waitFor(async () => (await mesh.asUser('op', getVm, { vmId: gone }, ADMIN)).vm.state === 'terminated', { timeoutMs: 30_000 });
    const again = await Promise.allSettled(['late-1', 'late-2', 'late-3'].map((user) => mesh.asUser(user, ensureVm, {})));
    expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await (await fetch(`${await scheduler.ready()}/metrics`)).text()).toContain('plexus_vm_quota_denied_total');

    await configure('_', { tenants: { [TENANT]: {}, other: {} } });
    const { vms } = await mesh.asUser('op', listVms, {}, ADMIN);
    for (const { vmId } of vms) await mesh.asUser('op', terminateVm, { vmId }, ADMIN);
    await waitFor(async () => (await mesh.asUser('op', listVms, {}, ADMIN)).vms.length === 0, { timeoutMs: 30_000 });
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
    await mesh.asUser('ida', touchVm, { vmId });
    await becomes('ida', vmId, 'paused');
    expect(Date.now() - endedAt).toBeGreaterThan(1_500);
    expect((await mesh.asUser('ida', whyVm, { vmId })).activity.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['touch', 'run-ended', 'run', 'created']),
    );
    const { transitions } = await mesh.asUser('ida', vmHistory, { vmId });
    expect(transitions[0]).toMatchObject({ from: 'stopping', to: 'paused' });
    expect(transitions.map(({ cause }) => cause)).toContain('idle');
  });

  it('A13: a paused VM comes back with its files, a higher epoch and the newest snapshot of its session, again and again', async () => {
    await mesh.only({ ...SHORT, VM_IDLE_MS: '600000' });
    const { vmId, runtime, connection } = await readyVm('jan');
    const workspace = path.join(mesh.state.path, 'vms', vmId, 'workspace');
    const run = await startRun('jan');
    await waitFor(async () => JSON.stringify(await connection.frames()).includes(run.runId), { timeoutMs: 30_000 });
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
    const started = await waitFor(async () => (await open.frames()).find(({ frame }) => frame.type === 'start_session'), { timeoutMs: 30_000 });
    expect(started).toMatchObject({ frame: { data: { session_id: run.sessionId, snapshot: { version: 8, body: { checkpoint: { step: 7 } } } } } });
    expect((await mesh.asUser('jan', vmLogs, { vmId })).text).toContain('fake runtime');
    const { token } = await mesh.asGateway(refreshVmToken, { vmId, epoch, connGen: open.attached.connGen });
    expect(await mesh.asGateway(verifyVmToken, { token, userId: 'jan' })).toMatchObject({ vmId, epoch });
    await expect(mesh.asGateway(refreshVmToken, { vmId, epoch: epoch - 1, connGen: 1 })).rejects.toMatchObject({ code: 'VM_FENCED' });
  });

  it('A15: a warm pool of two serves two of three users at once, each with a VM of their own, and is filled again', async () => {
    const file = path.join(mesh.state.path, 'templates.json');
    writeFileSync(file, JSON.stringify({ templates: [{ name: 'pooled' }], pools: [{ id: 'ready', tenant: TENANT, template: 'pooled', size: 2 }] }));
    await mesh.only({ ...SHORT, VM_IDLE_MS: '600000', VM_TEMPLATES_FILE: file });
    const connected = new Set<string>();
    const fill = async (): Promise<boolean> => {
      const { vms } = await mesh.asUser('op', listVms, {}, ADMIN);
      for (const vm of vms.filter(({ pool, state, vmId }) => pool === 'ready' && state === 'booting' && !connected.has(vmId))) {
        connected.add(vm.vmId);
        await connect(mesh, '_warm', await bootstrapped(mesh, vm.vmId));
      }
      return vms.filter(({ state }) => state === 'warm').length === 2;
    };
    await waitFor(fill, { timeoutMs: 30_000, what: 'the pool to be full' });
    const users = ['kim', 'lea', 'max'];
    const answers = await Promise.all(users.map((user) => mesh.asUser(user, ensureVm, { template: 'pooled' })));
    expect(new Set(answers.map(({ vmId }) => vmId)).size).toBe(3);
    expect(answers.every(({ created }) => created)).toBe(true);
    const warm = answers.filter(({ vmId }) => connected.has(vmId));
    expect(warm.map(({ state }) => state)).toEqual(['ready', 'ready']);
    for (const [index, answer] of answers.entries()) {
      const user = users[index] as string;
      const connection = connections.find(({ vmId }) => vmId === answer.vmId);
      if (connection === undefined) continue;
      const bind = (await connection.frames()).find(({ frame }) => frame.type === 'bind') as unknown as { frame: { data: { user_id: string; token: string } } };
      expect(bind.frame.data.user_id).toBe(user);
      expect(await mesh.asGateway(verifyVmToken, { token: bind.frame.data.token, userId: user })).toMatchObject({ vmId: answer.vmId, owner: user });
      for (const other of users.filter((name) => name !== user))
        await expect(mesh.asGateway(verifyVmToken, { token: bind.frame.data.token, userId: other })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(await mesh.rows(`SELECT id FROM vm_outbox WHERE body::text LIKE $1`, [`%${bind.frame.data.token}%`])).toEqual([]);
    }
    await waitFor(fill, { timeoutMs: 30_000, what: 'the pool to be full again' });
    const { vms } = await mesh.asUser('op', listVms, {}, ADMIN);
    for (const { vmId } of vms) await mesh.asUser('op', terminateVm, { vmId }, ADMIN);
  });

  it('A18: a host that is drained takes no new VM, lets runs finish, never has two of an owner, and goes on when it is put back', async () => {
    await mesh.only({ ...SHORT, VM_IDLE_MS: '600000' });
    const { vmId, runtime, connection } = await readyVm('ned');
    const run = await startRun('ned');
    await waitFor(async () => JSON.stringify(await connection.frames()).includes(run.runId), { timeoutMs: 30_000 });
    const { hosts } = await mesh.asGateway(listHosts, {}, TENANT);
    const host = hosts.find(({ provider }) => provider === 'local') as { hostId: string };
    await expect(mesh.asUser('ned', drainHost, { hostId: host.hostId }, ADMIN)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await mesh.asGateway(drainHost, { hostId: host.hostId }, TENANT);
    await becomes('ned', vmId, 'draining');
    expect((await connection.frames()).map(({ frame }) => frame.type)).toContain('drain');

    const { vmId: waiting } = await mesh.asUser('oda', ensureVm, {});
    await becomes('oda', waiting, 'backoff');
    expect((await mesh.asUser('oda', getVm, { vmId: waiting })).vm.reason).toMatchObject({ code: 'NO_HOST' });
    expect(await stateOf('ned', vmId)).toBe('draining');
    await endRun(run);
    await becomes('ned', vmId, 'paused');
    await mesh.asUser('ned', ensureVm, {});
    await waitFor(async () => (await mesh.asUser('ned', getVm, { vmId })).vm.reason?.code === 'HOST_DRAINING', { timeoutMs: 30_000 });

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
      await waitFor(async () => (await mesh.asUser('uli', getVm, { vmId })).vm.reason?.code === 'WORKSPACE_HOST_DOWN', { timeoutMs: 30_000 });
      expect(await mesh.rows('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])).toEqual([{ home }]);
      await mesh.asUser('uli', ensureVm, { allowEmptyWorkspace: true });
      const moved = await waitFor(
        async () => (await mesh.rows<{ home: string }>('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])).find((row) => row.home !== home),
        {
          timeoutMs: 30_000,
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
    expect(await waitFor(refused, { timeoutMs: 30_000 })).toMatchObject({ code: 'INVALID_REQUEST' });
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
    await waitFor(() => !existsSync(folder), { timeoutMs: 30_000, what: 'its workspace to be removed' });
    expect(await stateOf('pia', two.vmId)).not.toBe('terminated');

    const shared = await Promise.all(['pia', 'quin'].map((user) => mesh.asUser(user, ensureVm, { agentId: 'team' })));
    expect(new Set(shared.map(({ vmId }) => vmId)).size).toBe(1);
    expect(await mesh.rows('SELECT subject_id, scope_key, idle_ms FROM vms WHERE id = $1', [shared[0]?.vmId])).toEqual([
      { subject_id: '*', scope_key: 'shared', idle_ms: null },
    ]);
  });

  it('A15, I16: hands a key that a user has stored to the VMs of that user alone, and keeps it nowhere in the clear', async () => {
    const scheduler = await mesh.only({ ...SHORT, PLEXUS_MASTER_KEY: MASTER });
    await mesh.asUser('rae', putVmSecret, { name: 'model', value: 'sk-rae-2f9d1c' });
    expect((await mesh.asUser('rae', listVmSecrets, {})).secrets.map(({ name }) => name)).toEqual(['model']);
    expect((await mesh.asUser('sam', listVmSecrets, {})).secrets).toEqual([]);
    const [rae, sam] = await Promise.all(['rae', 'sam'].map(async (user) => bootstrapped(mesh, (await mesh.asUser(user, ensureVm, {})).vmId)));
    expect([rae?.modelApiKey, sam?.modelApiKey]).toEqual(['sk-rae-2f9d1c', MODEL_KEY]);
    expect(await mesh.rows(`SELECT name FROM provider_secrets WHERE position('sk-rae'::bytea IN sealed) > 0`)).toEqual([]);
    expect(scheduler.output).not.toContain('sk-rae');

    // A new master key: what the previous one sealed is sealed anew, and can be read without it from then on.
    const previous = path.join(mesh.state.path, 'previous.key');
    writeFileSync(previous, MASTER);
    const next = { ...SHORT, PLEXUS_MASTER_KEY: `${MASTER}-2` };
    await mesh.only({ ...next, PLEXUS_MASTER_KEY_PREVIOUS_FILE: previous });
    await mesh.only(next);
    const { vms } = await mesh.asUser('rae', listVms, {});
    await mesh.asUser('rae', terminateVm, { vmId: vms[0]?.vmId as string });
    await becomes('rae', vms[0]?.vmId as string, 'terminated');
    expect((await bootstrapped(mesh, (await mesh.asUser('rae', ensureVm, {})).vmId)).modelApiKey).toBe('sk-rae-2f9d1c');
    expect(await mesh.asUser('rae', deleteVmSecret, { name: 'model' })).toEqual({ deleted: true });
  });

  it('goes on above every epoch that the mesh remembers when its database is older than that', async () => {
    await mesh.endSchedulers();
    await (await mesh.bus.kv(BUCKETS.vmEpoch)).put('vm-of-the-future', 5_000);
    const scheduler = await mesh.only(SHORT);
    const { vmId } = await mesh.asUser('tea', ensureVm, {});
    expect((await bootstrapped(mesh, vmId)).epoch).toBeGreaterThan(5_000);
    expect(scheduler.output).toContain('it goes on above them');
  });
});
