import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runContracts, SCOPES, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { marked, waitFor } from '@plexus/testing';
import { type Bootstrapped, bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { PATIENCE_MS, SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, listVms, terminateVm, pauseVm, resumeVm, drainVm, getVm } = vmContracts;
const ADMIN = [SCOPES.admin, SCOPES.write, SCOPES.read];
const EDGES =
  `requested>provisioning requested>backoff requested>stopping requested>terminated provisioning>booting provisioning>stopping booting>ready booting>warm booting>stopping
warm>ready warm>stopping warm>suspect ready>suspect ready>draining ready>pausing ready>stopping suspect>ready suspect>stopping draining>ready draining>pausing draining>stopping
pausing>stopping stopping>paused stopping>backoff stopping>requested stopping>terminated stopping>failed paused>requested paused>terminated backoff>requested backoff>failed backoff>terminated`.split(
    /\s+/,
  );

/** As for every property (`tools/fast-check.mjs`): the same each time, unless one asks for others. */
const SEED = Number(process.env.PLEXUS_SEED || 20_261_122);
const CHURN_MS = 60_000;
const MIN_COMMANDS = 20;
/** In it at least so many commands are answered on any machine. */
const CHURN_LIMIT_MS = 300_000;

/** Numbers that look random and are the same for the same seed (mulberry32: low bits are as good as high ones). */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('real schedulers and real processes under churn', () => {
  let mesh: SchedulerMesh;
  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    mesh.patienceMs = PATIENCE_MS;
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  it('A6: replaces a VM that was stopped in its tracks under a higher epoch, its process ended first, and hears nothing of the old one', async () => {
    await mesh.only();
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
    // Lease and grace are over, again and again: a beat may still have been on its way.
    await waitFor(
      async () => {
        await mesh.rows(`UPDATE vm_instances SET lease_until = now() - interval '1 second' WHERE vm_id = $1 AND epoch = $2`, [vmId, old.epoch]);
        await mesh.rows(
          `UPDATE vms SET next_action_at = now(), deadline_at = least(deadline_at, now()) WHERE id = $1 AND current_epoch = $2 AND state IN ('ready', 'suspect')`,
          [vmId, old.epoch],
        );
        return (await mesh.rows('SELECT 1 FROM vms WHERE id = $1 AND current_epoch > $2', [vmId, old.epoch])).length > 0;
      },
      { what: 'its successor' },
    );
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
    // Two of them, so that what is wanted does not depend on how often somebody was killed.
    const [random, chance] = [generator(SEED), generator(SEED + 1)];
    const settings = { VM_IDLE_MS: '5000', VM_DRAIN_MS: '2000' };
    await mesh.endSchedulers();
    const schedulers = await Promise.all([mesh.scheduler(settings), mesh.scheduler(settings), mesh.scheduler(settings)]);
    const users = ['u0', 'u1', 'u2', 'u3'];
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const connections = new Map<string, FakeConnection>();
    const startedAt = performance.now();
    let over = false;
    let commands = 0;
    const goesOn = (): boolean =>
      !over && (performance.now() < startedAt + CHURN_MS || commands < MIN_COMMANDS) && performance.now() < startedAt + CHURN_LIMIT_MS;
    // Whoever is killed takes the calls in its hands along: nobody waits for those.
    mesh.patienceMs = 5_000;

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
    /** Ends a runtime, when there is one. */
    const killOne = (): void => {
      const runtimes = marked(mesh.cluster).filter(({ pid }) => !mesh.schedulerPids.has(pid));
      const victim = runtimes[random(Math.max(1, runtimes.length))];
      if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
    };
    /** Something that may be wanted just now: of a VM that is being ended nothing is, and whoever has none can only have one made. */
    const command = async (): Promise<void> => {
      const [user, kind] = [pick(users), random(8)];
      const { vms } = await mesh.asUser(user, listVms, {}, [SCOPES.read]);
      const vmId = vms.find(({ desiredState }) => desiredState !== 'terminated')?.vmId;
      if (vmId === undefined || kind < 3) await mesh.asUser(user, ensureVm, {});
      else if (kind === 3) await mesh.asUser(user, terminateVm, { vmId });
      else if (kind === 4) await mesh.asUser(user, pauseVm, { vmId });
      else if (kind === 5) await mesh.asUser(user, resumeVm, { vmId });
      else if (kind === 6) await mesh.asUser(user, drainVm, { vmId });
      else killOne();
    };
    const working = (async () => {
      while (goesOn()) {
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
      while (goesOn()) {
        await new Promise((resolve) => setTimeout(resolve, 1_000 + chance(3_000)));
        const index = chance(3);
        await schedulers[index]?.kill('SIGKILL');
        schedulers[index] = await mesh.scheduler(settings);
      }
    } finally {
      over = true; // the commands end with it
      await working;
    }
    mesh.patienceMs = PATIENCE_MS;

    const context = `seed ${SEED}, ${commands} commands`;
    expect([context, commands >= MIN_COMMANDS]).toEqual([context, true]);
    for (const { vmId } of (await mesh.asUser('op', listVms, {}, ADMIN)).vms) await mesh.asUser('op', terminateVm, { vmId }, ADMIN);
    await waitFor(async () => (await mesh.asUser('op', listVms, {}, ADMIN)).vms.length === 0, { timeoutMs: 240_000, what: `every VM to end (${context})` });
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
      timeoutMs: 180_000,
      what: `no process to be left (${context})`,
    });
  }, 900_000);
});
