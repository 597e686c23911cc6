import { type ResponseOf, vmContracts } from '@plexus/contracts';
import { marked, waitFor } from '@plexus/testing';
import { type Bootstrapped, bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { SchedulerMesh } from './support/mesh.js';

const { attachExternalVm, ensureVm, getVm, redeemTicket, terminateVm, verifyVmToken } = vmContracts;
const WS = 'wss://mesh.example/ws/vm';
/** The local one is the default: who attaches asks for the other. */
const SETTINGS = { PROVIDER: 'local,external', EXTERNAL_CONTROL_PLANE_WS: WS };
const PATIENCE = { timeoutMs: 60_000 };

describe('the life of a VM whose runtime somebody else starts', () => {
  let mesh: SchedulerMesh;
  const connections: FakeConnection[] = [];

  /** What a runtime has that was started with this answer. */
  const started = (given: ResponseOf<typeof attachExternalVm>): Bootstrapped => ({ ...given, modelApiKey: '', pid: given.epoch, environment: [] });
  const connect = async (user: string, given: ResponseOf<typeof attachExternalVm>, reconnect = false): Promise<FakeConnection> => {
    const connection = await FakeConnection.open(mesh, user, started(given), { reconnect });
    connections.push(connection);
    return connection;
  };
  const stateOf = async (user: string, vmId: string): Promise<string> => (await mesh.asUser(user, getVm, { vmId })).vm.state;

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
    await mesh.scheduler(SETTINGS);
  });
  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.close();
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  it('waits for it, becomes ready when it connects, and starts no process itself', async () => {
    const given = await mesh.asUser('ada', attachExternalVm, { waitMs: 30_000 });
    expect(given).toMatchObject({ userId: 'ada', ws: WS });
    await waitFor(async () => (await stateOf('ada', given.vmId)) === 'booting', PATIENCE);
    const ready = mesh.asUser('ada', ensureVm, { wait: 'ready', waitMs: 60_000 });
    await connect('ada', given);
    expect(await ready).toMatchObject({ vmId: given.vmId, epoch: given.epoch, state: 'ready', created: false });
    expect(marked(mesh.cluster).map(({ pid }) => pid)).toEqual([...mesh.schedulerPids]);
    await expect(mesh.asUser('ada', attachExternalVm, {})).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is fenced when it is ended: whoever has its ticket, token or socket is turned away', async () => {
    const given = await mesh.asUser('bob', attachExternalVm, { waitMs: 30_000 });
    const connection = await connect('bob', given);
    await waitFor(async () => (await stateOf('bob', given.vmId)) === 'ready', PATIENCE);
    await mesh.asUser('bob', terminateVm, { vmId: given.vmId });
    await waitFor(async () => (await stateOf('bob', given.vmId)) === 'terminated', PATIENCE);
    expect((await connection.beat()).status).toBe('fenced');
    await expect(mesh.asGateway(verifyVmToken, { token: given.token, userId: 'bob' })).rejects.toMatchObject({ code: 'VM_FENCED' });
    await expect(mesh.asGateway(redeemTicket, { ticket: given.ticket, userId: 'bob' })).rejects.toMatchObject({ code: 'TICKET_INVALID' });
  });

  it('can be attached anew after it was ended, as another VM with a higher epoch', async () => {
    const first = await mesh.asUser('cleo', attachExternalVm, { waitMs: 30_000 });
    await mesh.asUser('cleo', terminateVm, { vmId: first.vmId });
    const second = await mesh.asUser('cleo', attachExternalVm, { waitMs: 30_000 });
    expect(second.vmId).not.toBe(first.vmId);
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await connect('cleo', second);
    await waitFor(async () => (await stateOf('cleo', second.vmId)) === 'ready', PATIENCE);
    await expect(mesh.asGateway(redeemTicket, { ticket: first.ticket, userId: 'cleo' })).rejects.toMatchObject({ code: 'TICKET_INVALID' });
  });

  it('is not to be had by an owner whose VM the scheduler itself started', async () => {
    const { vmId } = await mesh.asUser('eve', ensureVm, { wait: 'none' });
    await connect('eve', { ...(await bootstrapped(mesh, vmId)), vmId, userId: 'eve', ws: '', expiresAt: '' });
    await expect(mesh.asUser('eve', attachExternalVm, {})).rejects.toMatchObject({ code: 'CONFLICT' });
    await mesh.asUser('eve', terminateVm, { vmId });
    await waitFor(async () => (await stateOf('eve', vmId)) === 'terminated', PATIENCE);
  });

  it('goes on with the runtime that it has when the scheduler is replaced', async () => {
    const given = await mesh.asUser('dora', attachExternalVm, { waitMs: 30_000 });
    const connection = await connect('dora', given);
    await waitFor(async () => (await stateOf('dora', given.vmId)) === 'ready', PATIENCE);
    await mesh.endSchedulers();
    await mesh.scheduler(SETTINGS);
    expect((await connection.beat()).status).toBe('ok');
    expect(await mesh.asUser('dora', ensureVm, { wait: 'ready', waitMs: 60_000 })).toMatchObject({ vmId: given.vmId, epoch: given.epoch });
  });
});
