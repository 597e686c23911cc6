import { readFileSync } from 'node:fs';
import path from 'node:path';
import { vmContracts } from '@plexus/contracts';
import { type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { DockerStandIn } from './support/docker-stand-in.js';
import { type Bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { fixture, SchedulerMesh } from './support/mesh.js';

const { ensureVm, getVm, terminateVm } = vmContracts;
const PATIENCE = { timeoutMs: 60_000 };

describe('the life of a VM in a container', () => {
  let mesh: SchedulerMesh;
  let folder: ThrowAwayFolder;
  let engine: DockerStandIn;
  const connections: FakeConnection[] = [];

  const containersOf = (vmId: string) => [...engine.containers.values()].filter(({ body }) => body.Labels['plexus.vm'] === vmId);
  /** What the runtime of this VM was told, once it is up. */
  const bootstrapped = (vmId: string, epoch: number): Promise<Bootstrapped> =>
    waitFor(() => {
      const [volume] = [...engine.volumes].find(([, { labels }]) => labels['plexus.vm'] === vmId) ?? ['none'];
      return JSON.parse(readFileSync(path.join(engine.volumeFolder(volume), `bootstrap-${epoch}.json`), 'utf8')) as Bootstrapped;
    }, PATIENCE);
  const vmOf = async (vmId: string) => (await mesh.asUser('ada', getVm, { vmId })).vm;
  const epochFrom = (vmId: string, epoch: number) => waitFor(async () => ((await vmOf(vmId)).epoch >= epoch ? (await vmOf(vmId)).epoch : undefined), PATIENCE);

  beforeAll(async () => {
    folder = throwAwayFolder('docker-life');
    engine = await DockerStandIn.start(folder.path, { 'runtime:test': fixture('fake-runtime.mjs') });
    mesh = await SchedulerMesh.start();
    await mesh.scheduler({ PROVIDER: 'docker', DOCKER_ENGINE: `unix://${engine.socket}`, DOCKER_IMAGE: 'runtime:test', DOCKER_NETWORK: 'plexus-vms' });
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await mesh.stop();
    await engine.stop();
    folder.remove();
  });

  it('starts, is replaced in the same workspace when its container dies, and ends', async () => {
    const { vmId } = await mesh.asUser('ada', ensureVm, { wait: 'none' });
    const first = await epochFrom(vmId, 1);
    const ready = mesh.asUser('ada', ensureVm, { wait: 'ready', waitMs: 60_000 });
    const runtime = await bootstrapped(vmId, first);
    const connection = await FakeConnection.open(mesh, 'ada', runtime);
    connections.push(connection);
    expect(await ready).toMatchObject({ vmId, epoch: first, state: 'ready' });

    process.kill(runtime.pid, 'SIGKILL');
    await waitFor(async () => (await vmOf(vmId)).state !== 'ready', PATIENCE);
    const [ended] = await waitFor(async () => {
      const rows = await mesh.rows<{ exit_code: number }>('SELECT exit_code FROM vm_instances WHERE vm_id = $1 AND epoch = $2 AND exit_code IS NOT NULL', [
        vmId,
        first,
      ]);
      return rows.length > 0 ? rows : undefined;
    }, PATIENCE);
    expect(ended).toEqual({ exit_code: 137 });

    await mesh.asUser('ada', ensureVm, { wait: 'none' });
    const second = await epochFrom(vmId, first + 1);
    await bootstrapped(vmId, second);
    expect((await bootstrapped(vmId, first)).pid).toBe(runtime.pid); // the file of the first is still in the workspace
    expect((await connection.beat()).status).toBe('fenced');
    expect(containersOf(vmId).filter(({ status }) => status === 'running')).toHaveLength(1);

    await mesh.asUser('ada', terminateVm, { vmId });
    await waitFor(async () => (await vmOf(vmId)).state === 'terminated', PATIENCE);
    expect(containersOf(vmId).filter(({ status }) => status === 'running')).toEqual([]);
  });
});
