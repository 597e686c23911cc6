import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { SCOPES, vmContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { throwAwayFolder, waitFor } from '@plexus/testing';
import { hostIdOf } from '../src/adapters/local/vm-folder.js';
import { bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { SchedulerMesh } from './support/mesh.js';

const { ensureVm, getVm, listHosts, drainHost } = vmContracts;
/** An hour: only a workspace that is older goes. */
const SETTINGS = { VM_WORKSPACE_RETENTION_MS: '3600000' };

describe('a mesh of two hosts', () => {
  let mesh: SchedulerMesh;
  const folders: { readonly path: string; remove(): void }[] = [];

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    await mesh.forgetVms();
    // The other hosts are over: nobody acts on them any more, and nothing is to be started there.
    await mesh.only(SETTINGS);
    const home = hostIdOf(path.join(mesh.state.path, 'vms'));
    await mesh.rows(`UPDATE vms SET state = 'terminated', next_action_at = NULL WHERE host_id <> $1 AND state NOT IN ('failed', 'terminated')`, [home]);
    await mesh.rows('DELETE FROM hosts WHERE id <> $1', [home]);
  });
  afterAll(async () => {
    await mesh.stop();
    for (const folder of folders.splice(0)) folder.remove();
  });

  const secondHost = () => {
    const folder = throwAwayFolder('second-host');
    folders.push(folder);
    return mesh.scheduler({ ...SETTINGS, PLEXUS_STATE_DIR: folder.path });
  };

  it('starts every VM on the host that was chosen for it, at the first try', async () => {
    await mesh.only(SETTINGS);
    await secondHost();
    const users = Array.from({ length: 6 }, (_, index) => `cold-${index}`);
    const vmIds = await Promise.all(users.map(async (user) => (await mesh.asUser(user, ensureVm, { wait: 'none' })).vmId));
    await waitFor(async () => (await mesh.rows('SELECT 1 FROM vm_instances WHERE vm_id = ANY ($1)', [vmIds])).length === vmIds.length);
    const waits = await mesh.rows<{ cause: string }>(`SELECT cause FROM vm_transitions WHERE vm_id = ANY ($1) AND to_state = 'backoff'`, [vmIds]);
    // A burst may find its host busy; nobody may find it silent.
    expect(waits.filter(({ cause }) => cause !== 'host-busy')).toEqual([]);
    const hosts = await mesh.rows('SELECT DISTINCT host_id FROM vm_instances WHERE vm_id = ANY ($1)', [vmIds]);
    expect(hosts).toHaveLength(2);
  });

  it('says that the host of a VM is down, ends nothing, and takes the VM back when it beats again', async () => {
    const first = await mesh.only(SETTINGS);
    const { vmId } = await mesh.asUser('ada', ensureVm, { wait: 'none' });
    const runtime = await bootstrapped(mesh, vmId);
    const connection = await FakeConnection.open(mesh, 'ada', runtime, { beat: false });
    const [{ home }] = (await mesh.rows<{ home: string }>('SELECT host_id AS home FROM vms WHERE id = $1', [vmId])) as [{ home: string }];
    await first.kill('SIGKILL');
    await mesh.releaseClaims();
    await mesh.rows(`UPDATE hosts SET beat_at = now() - interval '2 minutes' WHERE id = $1`, [home]);
    await secondHost();
    const summary = async () => (await mesh.asUser('ada', getVm, { vmId }, [SCOPES.read])).vm;
    await waitFor(async () => {
      // Again and again: the first look of a new scheduler extends every lease, because the mesh had been without one.
      await mesh.rows(`UPDATE vm_instances SET lease_until = now() - interval '1 minute' WHERE vm_id = $1`, [vmId]);
      return (await summary()).state === 'suspect';
    });
    expect((await summary()).reason?.code).toBe('WORKSPACE_HOST_DOWN');
    expect((await mesh.asUser('ada', ensureVm, { wait: 'none' })).reason).toContain('WORKSPACE_HOST_DOWN');
    expect(() => process.kill(runtime.pid, 0)).not.toThrow();
    await mesh.rows(`UPDATE vm_instances SET lease_until = now() + interval '1 minute' WHERE vm_id = $1`, [vmId]);
    await waitFor(async () => (await summary()).state === 'ready');
    connection.close();
  });

  it('shows and drains hosts for services of the mesh alone, not for operators of a tenant', async () => {
    await mesh.only(SETTINGS);
    const { hosts } = await mesh.asGateway(listHosts, {});
    const hostId = hosts[0]?.hostId as string;
    await expect(mesh.asOperator('op', listHosts, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(mesh.asOperator('op', drainHost, { hostId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('removes a workspace without a row once it is older than the retention, and no younger one', async () => {
    const [old, young] = [`vm-${ulid()}`, `vm-${ulid()}`];
    const folderOf = (vmId: string): string => path.join(mesh.state.path, 'vms', vmId);
    for (const vmId of [old, young]) mkdirSync(path.join(folderOf(vmId), 'workspace'), { recursive: true });
    const before = new Date(Date.now() - 7_200_000);
    for (const folder of [path.join(folderOf(old), 'workspace'), folderOf(old)]) utimesSync(folder, before, before);
    await mesh.endSchedulers(); // a new one looks at once
    await mesh.only(SETTINGS);
    await waitFor(() => !existsSync(folderOf(old)));
    expect(existsSync(folderOf(young))).toBe(true);
  });
});
