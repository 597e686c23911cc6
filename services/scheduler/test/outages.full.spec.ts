import { runContracts, vmContracts } from '@plexus/contracts';
import { migrate } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import { startTestPostgres, type TestPostgres, waitFor } from '@plexus/testing';
import path from 'node:path';
import { type Bootstrapped, bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { prismaFolder, SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm } = vmContracts;

describe('a scheduler whose database or mesh goes away', () => {
  let postgres: TestPostgres;
  let mesh: SchedulerMesh;
  let vmId: string;
  let runtime: Bootstrapped;
  let connection: FakeConnection;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const url = postgres.url();
    await migrate({ url, schema: 'scheduler', directory: path.join(prismaFolder, 'migrations') });
    mesh = await SchedulerMesh.start({ url, name: 'postgres', schema: 'scheduler', drop: async () => undefined });
    await mesh.scheduler();
    ({ vmId } = await mesh.asUser('ada', ensureVm, {}));
    runtime = await bootstrapped(mesh, vmId);
    connection = await FakeConnection.open(mesh, 'ada', runtime);
  });
  afterAll(async () => {
    connection.close();
    await mesh.stop();
    await postgres.stop();
  });

  const isSame = async (): Promise<boolean> => {
    const { vm } = await mesh.asUser('ada', getVm, { vmId });
    return vm.state === 'ready' && vm.epoch === runtime.epoch && vm.pid === runtime.pid;
  };
  const startsARun = async (): Promise<void> => {
    const run = { sessionId: ulid(), sessionKey: 'agent:main:main', owner: 'ada', agentId: 'main', runId: ulid() };
    await mesh.bus.publish(runContracts.startRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, message: 'hi', history: [] } });
    await waitFor(async () => JSON.stringify(await connection.frames()).includes(run.runId), { timeoutMs: 60_000 });
  };

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'A16: harms no VM while Postgres is down for longer than a lease (%s), and works again',
    async (signal) => {
      await postgres.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 35_000)); // the outage itself is what is tested
      await postgres.restart();
      await waitFor(isSame, { timeoutMs: 60_000 });
      await startsARun();
      // Not only right after: the grace is over, and beats have arrived.
      await mesh.rows(`SELECT pg_sleep(5)`);
      expect(await isSame()).toBe(true);
    },
    240_000,
  );

  it('harms no VM while NATS is down for longer than a lease and its grace, and works again', async () => {
    await mesh.nats.kill();
    await new Promise((resolve) => setTimeout(resolve, 65_000));
    await mesh.nats.restart();
    await waitFor(isSame, { timeoutMs: 60_000 });
    await startsARun();
    expect(await isSame()).toBe(true);
  }, 240_000);

  it('extends every lease by one full grace when all schedulers were away for longer than it', async () => {
    await mesh.endSchedulers();
    await new Promise((resolve) => setTimeout(resolve, 35_000));
    await mesh.scheduler();
    await waitFor(isSame, { timeoutMs: 60_000 });
    const fresh = `SELECT 1 FROM vm_instances WHERE vm_id = $1 AND phase = 'running' AND lease_until > now() + interval '20 seconds'`;
    await waitFor(async () => (await mesh.rows(fresh, [vmId])).length === 1, { what: 'a lease that is long again' });
    expect(await mesh.rows(`SELECT 1 FROM vm_transitions WHERE vm_id = $1 AND to_state IN ('stopping', 'paused')`, [vmId])).toEqual([]);
    await startsARun();
  }, 240_000);
});
