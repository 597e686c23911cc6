import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runContracts, SCOPES, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { marked, waitFor } from '@plexus/testing';
import { type Bootstrapped, bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, listVms, terminateVm, pauseVm, resumeVm, drainVm, getVm } = vmContracts;
const ADMIN = [SCOPES.admin, SCOPES.write, SCOPES.read];
const EDGES =
  `requested>provisioning requested>backoff requested>stopping requested>terminated provisioning>booting provisioning>stopping booting>ready booting>warm booting>stopping
warm>ready warm>stopping warm>suspect ready>suspect ready>draining ready>pausing ready>stopping suspect>ready suspect>stopping draining>ready draining>pausing draining>stopping
pausing>stopping stopping>paused stopping>backoff stopping>requested stopping>terminated stopping>failed paused>requested paused>terminated backoff>requested backoff>failed backoff>terminated`.split(
    /\s+/,
  );

/** Numbers that look random and are the same for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

describe('real schedulers and real processes under churn', () => {
  let mesh: SchedulerMesh;
  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterAll(() => mesh.stop());

  it('A6: replaces a VM that was stopped in its tracks under a higher epoch, its process ended first, and hears nothing of the old one', async () => {
    await mesh.only({ VM_LEASE_MS: '3000', VM_SUSPECT_MS: '3000', ALLOW_WEAK_FENCING: '1' });
    const { vmId } = await mesh.asUser('ada', ensureVm, {});
    const old = await bootstrapped(mesh, vmId);
    const connection = await FakeConnection.open(mesh, 'ada', old);
    const sessionId = ulid();
    await mesh.bus.publish(runContracts.startRun, {
      tenant: TENANT,
      key: [sessionId],
      data: { sessionId, sessionKey: 'agent:main:main', owner: 'ada', agentId: 'main', runId: ulid(), message: 'hi', history: [] },
    });
    await waitFor(async () => (await connection.frames()).length > 0, { timeoutMs: 60_000 });
    process.kill(old.pid, 'SIGSTOP');
    connection.close();
    const next = await bootstrapped(mesh, vmId, old.epoch + 1);
    expect(next.epoch).toBeGreaterThan(old.epoch);
    expect(marked(mesh.cluster).map(({ pid }) => pid)).not.toContain(old.pid);
    expect(await connection.beat()).toMatchObject({ status: 'fenced', currentEpoch: next.epoch });
    const moves = await mesh.rows<{ from_state: string; to_state: string }>(`SELECT from_state, to_state FROM vm_transitions WHERE vm_id = $1 ORDER BY id`, [
      vmId,
    ]);
    expect(moves.map((move) => `${move.from_state}>${move.to_state}`)).toEqual(
      expect.arrayContaining(['ready>suspect', 'suspect>stopping', 'stopping>requested']),
    );
    await mesh.asUser('ada', terminateVm, { vmId });
    await waitFor(async () => (await mesh.asUser('ada', getVm, { vmId })).vm.state === 'terminated', { timeoutMs: 60_000 });
  });

  it('A19, A4: keeps every invariant while three schedulers are killed at random for a minute, and converges', async () => {
    const seed = Number(process.env.PLEXUS_FC_SEED ?? Date.now() % 100_000);
    const random = generator(seed);
    const settings = { VM_IDLE_MS: '5000', VM_DRAIN_MS: '2000' };
    await mesh.endSchedulers();
    const schedulers = await Promise.all([mesh.scheduler(settings), mesh.scheduler(settings), mesh.scheduler(settings)]);
    const users = ['u0', 'u1', 'u2', 'u3'];
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const connections = new Map<string, FakeConnection>();
    let until = performance.now() + 60_000;
    let commands = 0;

    /** Plays the runtimes' side of every VM that waits for a connection. */
    const connectAll = async (): Promise<void> => {
      const rows = await mesh.rows<{ id: string; subject_id: string; current_epoch: number }>(
        `SELECT id, subject_id, current_epoch FROM vms WHERE state IN ('provisioning', 'booting')`,
      );
      for (const { id, subject_id: user, current_epoch: epoch } of rows) {
        const file = path.join(mesh.state.path, 'vms', id, 'workspace', `bootstrap-${epoch}.json`);
        try {
          const runtime = JSON.parse(readFileSync(file, 'utf8')) as Bootstrapped;
          const connection = await FakeConnection.open(mesh, user, runtime);
          connections.get(id)?.close();
          connections.set(id, connection);
        } catch {
          // Not up yet, fenced meanwhile, or no scheduler is there to answer: the next turn tries again.
        }
      }
    };
    const command = async (): Promise<void> => {
      const user = pick(users);
      const { vms } = await mesh.asUser(user, listVms, {}, [SCOPES.read]);
      const vmId = vms[0]?.vmId;
      const kind = random(8);
      if (vmId === undefined || kind < 3) await mesh.asUser(user, ensureVm, {});
      else if (kind === 3) await mesh.asUser(user, terminateVm, { vmId });
      else if (kind === 4) await mesh.asUser(user, pauseVm, { vmId });
      else if (kind === 5) await mesh.asUser(user, resumeVm, { vmId });
      else if (kind === 6) await mesh.asUser(user, drainVm, { vmId });
      else process.kill(pick(marked(mesh.cluster).filter(({ pid }) => !mesh.schedulerPids.has(pid))).pid, 'SIGKILL');
    };
    const working = (async () => {
      while (performance.now() < until) {
        await connectAll();
        // A scheduler may be killed with the call in its hands: that is what is tested.
        await command().then(
          () => {
            commands += 1;
          },
          () => undefined,
        );
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    try {
      while (performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 1_000 + random(3_000)));
        const index = random(3);
        await schedulers[index]?.kill('SIGKILL');
        schedulers[index] = await mesh.scheduler(settings);
      }
    } catch (error) {
      until = 0; // the commands end with it
      throw error;
    } finally {
      await working;
    }

    const context = `seed ${seed}, ${commands} commands`;
    expect([context, commands >= 20]).toEqual([context, true]);
    for (const { vmId } of (await mesh.asUser('op', listVms, {}, ADMIN)).vms) await mesh.asUser('op', terminateVm, { vmId }, ADMIN);
    await waitFor(async () => (await mesh.asUser('op', listVms, {}, ADMIN)).vms.length === 0, { timeoutMs: 120_000, what: `every VM to end (${context})` });
    for (const connection of connections.values()) connection.close();

    const moves = await mesh.rows<{ edge: string }>(`SELECT DISTINCT from_state || '>' || to_state AS edge FROM vm_transitions`);
    for (const { edge } of moves) expect([context, EDGES]).toEqual([context, expect.arrayContaining([edge])]); // I8
    const overlaps = await mesh.rows(
      `SELECT a.vm_id, a.epoch FROM vm_instances a JOIN vm_instances b ON b.vm_id = a.vm_id AND b.epoch > a.epoch WHERE b.started_at < coalesce(a.gone_at, 'infinity')`,
    );
    expect([context, overlaps]).toEqual([context, []]); // I2, I3: nobody began before its predecessor was confirmed gone
    const doubles = await mesh.rows(
      `SELECT a.id FROM vms a JOIN vms b ON b.id > a.id AND (b.tenant_id, b.subject_id, b.scope_key) = (a.tenant_id, a.subject_id, a.scope_key)
        WHERE b.created_at < a.state_since - interval '1 millisecond' AND a.pool_id IS NULL`,
    );
    expect([context, doubles]).toEqual([context, []]); // I1
    // I5: nothing runs but the schedulers.
    await waitFor(() => marked(mesh.cluster).every(({ pid }) => schedulers.some((one) => one.pid === pid)), {
      timeoutMs: 30_000,
      what: `no process to be left (${context})`,
    });
  }, 300_000);
});
