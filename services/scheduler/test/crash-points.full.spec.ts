import { vmContracts } from '@plexus/contracts';
import { marked, waitFor } from '@plexus/testing';
import { Acceptance } from './support/acceptance.js';
import { bootstrapped } from './support/fake-gateway.js';
import { fixture, SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm, terminateVm } = vmContracts;
/** About 1, 2, 4, 8, 16 s. */
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000];
const JITTER = 0.2;

describe('starts that fail, and a scheduler that dies in the middle of one', () => {
  let mesh: SchedulerMesh;
  const acceptance = new Acceptance(() => mesh);
  const { configure, becomes } = acceptance;

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    acceptance.closeAll();
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  it('A9: tries six times, at once and after about 1, 2, 4, 8 and 16 s, then gives up, frees the quota, and begins anew after the cool-down', async () => {
    await configure('_', { tenants: { [TENANT]: { limits: { vms: 1 } }, other: {} } });
    await mesh.only({ RUNTIME_ENTRY: fixture('failing-runtime.mjs') });
    // The database notes what is to be waited for when a wait begins: from the confirmed end at the latest, from this commit at the earliest. Then it is over at
    // once, so that nobody waits in real time; but for the last one, which is looked at: it lasts until this test ends it.
    await mesh.rows('CREATE TABLE waits (id bigserial, vm_id text, attempt int, longest float8, shortest float8)');
    await mesh.rows(`CREATE FUNCTION skip_wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO waits (vm_id, attempt, longest, shortest) VALUES (NEW.id, NEW.attempt,
          extract(epoch FROM NEW.next_action_at - OLD.state_since) * 1000, extract(epoch FROM NEW.next_action_at - clock_timestamp()) * 1000);
        NEW.next_action_at := clock_timestamp() + CASE WHEN NEW.attempt = 5 THEN interval '1 hour' ELSE interval '0' END;
        NEW.deadline_at := NEW.next_action_at;
        RETURN NEW;
      END $$`);
    await mesh.rows(
      `CREATE TRIGGER skip_wait BEFORE UPDATE ON vms FOR EACH ROW WHEN (NEW.state = 'backoff' AND OLD.state = 'stopping') EXECUTE FUNCTION skip_wait()`,
    );
    const waitsOf = (vmId: string) =>
      mesh.rows<{ attempt: number; longest: number; shortest: number }>('SELECT attempt, longest, shortest FROM waits WHERE vm_id = $1 ORDER BY id', [vmId]);

    const { vmId } = await mesh.asUser('eve', ensureVm, {});
    await waitFor(async () => (await waitsOf(vmId)).length === 5, { timeoutMs: 60_000, what: 'the fifth wait' });
    await expect(mesh.asUser('eva', ensureVm, {})).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await mesh.rows(`UPDATE vms SET next_action_at = clock_timestamp(), deadline_at = clock_timestamp() WHERE id = $1 AND state = 'backoff'`, [vmId]);
    await becomes('eve', vmId, 'failed');
    const waits = await waitsOf(vmId);
    expect(waits.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    for (const [index, exact] of WAITS_MS.entries()) {
      expect(waits[index]?.longest).toBeGreaterThanOrEqual(exact * (1 - JITTER) - 1);
      expect(waits[index]?.shortest).toBeLessThanOrEqual(exact * (1 + JITTER) + 1);
    }
    const moves = await mesh.rows<{ from: string; to: string }>('SELECT from_state AS from, to_state AS to FROM vm_transitions WHERE vm_id = $1 ORDER BY id', [
      vmId,
    ]);
    expect(moves[0]).toEqual({ from: 'requested', to: 'provisioning' }); // no wait before the first
    expect(moves.filter(({ to }) => to === 'provisioning')).toHaveLength(6);
    expect((await mesh.asUser('eve', getVm, { vmId })).vm.reason?.text).toBe('The runtime exited with code 3: no such model: gibberish');

    expect(await mesh.asUser('eve', ensureVm, {})).toMatchObject({ vmId, state: 'failed', created: false });
    const other = await mesh.asUser('eva', ensureVm, {}); // its place is free
    expect(other.created).toBe(true);
    await mesh.asUser('eva', terminateVm, { vmId: other.vmId });
    await becomes('eva', other.vmId, 'terminated');
    await mesh.rows(`UPDATE vms SET state_since = state_since - interval '31 seconds' WHERE id = $1`, [vmId]);
    const anew = await mesh.asUser('eve', ensureVm, {});
    expect(anew.created).toBe(true);
    expect(anew.vmId).not.toBe(vmId);
    const [first] = await waitFor(async () => ((rows) => (rows.length > 0 ? rows : undefined))(await waitsOf(anew.vmId)), { timeoutMs: 60_000 });
    expect(first).toMatchObject({ attempt: 1 });
    expect(first?.shortest).toBeLessThanOrEqual(1_000 * (1 + JITTER) + 1);
    await mesh.asUser('eve', terminateVm, { vmId: anew.vmId });
    await becomes('eve', anew.vmId, 'terminated');
    await mesh.rows('DROP TRIGGER skip_wait ON vms');
  });

  it('A4: what a scheduler had started when it was killed before it could write that down is taken over by the next one', async () => {
    await configure('_', { tenants: { [TENANT]: {}, other: {} } });
    await waitFor(() => marked(mesh.cluster).every(({ pid }) => mesh.schedulerPids.has(pid)), { what: 'nothing to run but schedulers' });
    // Whoever comes next takes it up when the claim of the dead one is over, long before the limit of provisioning.
    const first = await mesh.only();
    await mesh.rows(`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$`);
    await mesh.rows(
      `CREATE TRIGGER never BEFORE UPDATE ON vms FOR EACH ROW WHEN (OLD.state = 'provisioning' AND NEW.state <> 'provisioning') EXECUTE FUNCTION never()`,
    );
    const { vmId } = await mesh.asUser('amy', ensureVm, {});
    const started = await bootstrapped(mesh, vmId);
    const inCommit = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
    await waitFor(async () => (await mesh.rows(inCommit)).length > 0, { timeoutMs: 60_000, what: 'the commit of the outcome' });
    await first.kill('SIGKILL');
    // A session outlives its client for as long as it is in the middle of something.
    await waitFor(async () => (await mesh.rows(`SELECT pg_terminate_backend(pid) FROM (${inCommit}) AS asleep`)).length === 0, { what: 'its session to end' });
    await mesh.rows('DROP TRIGGER never ON vms');
    const outcome = async () =>
      mesh.rows(`SELECT v.state, i.epoch, i.phase FROM vms v JOIN vm_instances i ON i.vm_id = v.id WHERE v.id = $1 ORDER BY i.epoch`, [vmId]);
    expect(await outcome()).toEqual([{ state: 'provisioning', epoch: started.epoch, phase: 'creating' }]);
    expect(marked(mesh.cluster).map(({ pid }) => pid)).toEqual([started.pid]);

    const second = await mesh.scheduler();
    await waitFor(async () => (await mesh.asUser('amy', getVm, { vmId })).vm.state === 'booting', { timeoutMs: 60_000, what: 'it to be taken over' });
    await acceptance.connect(mesh, 'amy', started);
    await becomes('amy', vmId, 'ready');
    expect(await mesh.asUser('amy', ensureVm, {})).toMatchObject({ vmId, epoch: started.epoch, created: false });
    expect(await outcome()).toEqual([{ state: 'ready', epoch: started.epoch, phase: 'running' }]);
    expect(
      marked(mesh.cluster)
        .map(({ pid }) => pid)
        .filter((pid) => pid !== second.pid),
    ).toEqual([started.pid]);
    const [late] = await mesh.rows<{ ms: number }>(
      `SELECT extract(epoch FROM b.at - a.at)::float8 * 1000 AS ms FROM vm_transitions a JOIN vm_transitions b USING (vm_id)
        WHERE vm_id = $1 AND a.to_state = 'provisioning' AND b.to_state = 'booting'`,
      [vmId],
    );
    expect(late?.ms).toBeLessThan(120_000);
    await mesh.asUser('amy', terminateVm, { vmId });
    await becomes('amy', vmId, 'terminated');
  }, 240_000);
});
