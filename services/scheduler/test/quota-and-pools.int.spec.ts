import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { SCOPES, vmContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { bootstrapped, FakeConnection } from './support/fake-gateway.js';
import { SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm, listVms, pauseVm, resumeVm } = vmContracts;
const PATIENCE = { timeoutMs: 60_000 };

describe('limits and pools', () => {
  let mesh: SchedulerMesh;
  const connections: FakeConnection[] = [];

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.close();
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  const connect = async (user: string, vmId: string): Promise<void> => {
    connections.push(await FakeConnection.open(mesh, user, await bootstrapped(mesh, vmId)));
  };

  it('counts VMs that are resumed among those that may start at once', async () => {
    await mesh.only();
    const { vmId } = await mesh.asUser('ada', ensureVm, { wait: 'none' });
    await connect('ada', vmId);
    await mesh.asUser('ada', pauseVm, { vmId });
    const state = async () => (await mesh.asUser('ada', getVm, { vmId }, [SCOPES.read])).vm.state;
    await waitFor(async () => (await state()) === 'paused', PATIENCE);
    await mesh.asUser('bob', ensureVm, { wait: 'none' }); // stays in its start: nobody connects
    await mesh.rows('UPDATE tenant_quota SET max_starting = 1 WHERE tenant_id = $1', [TENANT]);
    const refused = { code: 'QUOTA_EXCEEDED' };
    await expect(mesh.asUser('ada', ensureVm, { wait: 'none' })).rejects.toMatchObject({ ...refused, details: { what: 'starting', limit: 1 } });
    await expect(mesh.asUser('ada', resumeVm, { vmId })).rejects.toMatchObject(refused);
    expect(await state()).toBe('paused');
    await mesh.rows('UPDATE tenant_quota SET max_starting = 2 WHERE tenant_id = $1', [TENANT]);
    expect((await mesh.asUser('ada', ensureVm, { wait: 'none' })).resumed).toBe(true);
    await mesh.rows('UPDATE tenant_quota SET max_starting = NULL WHERE tenant_id = $1', [TENANT]);
  });

  it('gives away the members of a pool that keeps them after its template changed', async () => {
    const file = path.join(mesh.state.path, 'templates.json');
    const declare = (revision: string) =>
      writeFileSync(
        file,
        JSON.stringify({
          templates: [{ name: 'pooled', spec: { environment: { REVISION: revision } } }],
          pools: [{ id: 'kept', tenant: TENANT, template: 'pooled', size: 1, updatePolicy: 'keep' }],
        }),
      );
    declare('1');
    await mesh.only({ VM_TEMPLATES_FILE: file });
    const member = async (state: string) =>
      (await mesh.asUser('op', listVms, {}, [SCOPES.admin])).vms.find((vm) => vm.pool === 'kept' && vm.state === state)?.vmId;
    const vmId = await waitFor(() => member('booting'), PATIENCE);
    await connect('_warm', vmId);
    await waitFor(async () => (await member('warm')) === vmId, PATIENCE);
    declare('2');
    await mesh.endSchedulers();
    await mesh.only({ VM_TEMPLATES_FILE: file });
    const old = await mesh.rows(
      `SELECT v.id FROM vms v JOIN vm_templates t ON t.name = 'pooled' AND t.is_current WHERE v.id = $1 AND v.template_hash <> t.spec_hash`,
      [vmId],
    );
    expect(old).toHaveLength(1);
    const claimed = await waitFor(async () => {
      const [beating] = await mesh.rows('SELECT 1 FROM vm_instances WHERE vm_id = $1 AND lease_until > now()', [vmId]);
      return beating && mesh.asUser('kim', ensureVm, { template: 'pooled', wait: 'none' });
    }, PATIENCE);
    expect(claimed).toMatchObject({ vmId, state: 'ready', created: true });
  });
});
