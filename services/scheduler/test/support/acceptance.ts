import { BUCKETS, type InputOf, runContracts, sessionContracts, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { bootstrapped, FakeConnection } from './fake-gateway.js';
import { type SchedulerMesh, TENANT } from './mesh.js';

const { ensureVm, getVm } = vmContracts;

/** What the promises of the scheduler are tried with: users, runtimes that are played, and runs. `mesh` is asked when it is there. */
export class Acceptance {
  readonly connections: FakeConnection[] = [];

  constructor(private readonly mesh: () => SchedulerMesh) {}

  readonly connect = async (...args: Parameters<typeof FakeConnection.open>): Promise<FakeConnection> => {
    const connection = await FakeConnection.open(...args);
    this.connections.push(connection);
    return connection;
  };

  readonly closeAll = (): void => {
    for (const connection of this.connections.splice(0)) connection.close();
  };

  readonly stateOf = async (user: string, vmId: string): Promise<string> => (await this.mesh().asUser(user, getVm, { vmId })).vm.state;

  readonly becomes = (user: string, vmId: string, state: string): Promise<unknown> =>
    waitFor(async () => (await this.stateOf(user, vmId)) === state, { timeoutMs: 60_000, what: `${vmId} to be ${state}` });

  /** That its incarnation was in this state, however short: with an idle limit of two seconds nobody need see it there. */
  readonly became = ({ vmId, epoch }: FakeConnection, state: string): Promise<unknown> =>
    waitFor(
      async () => (await this.mesh().rows('SELECT 1 FROM vm_transitions WHERE vm_id = $1 AND epoch = $2 AND to_state = $3', [vmId, epoch, state])).length > 0,
      { what: `${vmId} to become ${state}` },
    );

  /** Ensures a VM and plays its runtime's part until it is ready. */
  readonly readyVm = async (user: string, input: InputOf<typeof ensureVm> = {}, fromEpoch = 1) => {
    const mesh = this.mesh();
    const answer = await mesh.asUser(user, ensureVm, input);
    const runtime = await bootstrapped(mesh, answer.vmId, fromEpoch);
    const connection = await this.connect(mesh, input.scope === 'shared' ? '*' : user, runtime);
    await this.became(connection, 'ready');
    return { ...answer, runtime, connection };
  };

  readonly startRun = async (user: string) => {
    const run = { sessionId: ulid(), sessionKey: 'agent:main:main', owner: user, agentId: 'main', runId: ulid() };
    await this.mesh().bus.publish(runContracts.startRun, { tenant: TENANT, key: [run.sessionId], data: { ...run, message: 'hi', history: [] } });
    return run;
  };

  readonly endRun = (run: Awaited<ReturnType<Acceptance['startRun']>>): Promise<unknown> =>
    this.mesh().bus.publish(sessionContracts.sessionEvent, {
      tenant: TENANT,
      key: [run.sessionId],
      data: { ...run, event: { type: 'execution_complete', content: 'done' } },
    });

  readonly configure = async (key: string, document: object): Promise<void> => {
    await (await this.mesh().bus.kv(BUCKETS.config)).put(key, document);
  };
}
