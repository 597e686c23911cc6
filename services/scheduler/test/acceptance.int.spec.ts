import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUCKETS, SCOPES, vmContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { type Encrypted, openApiKeys } from '@plexus/vm-protocol';
import { Acceptance } from './support/acceptance.js';
import { type Bootstrapped, bootstrapped } from './support/fake-gateway.js';
import { MODEL_KEY, SchedulerMesh, TENANT } from './support/mesh.js';

const { ensureVm, getVm, listVms, terminateVm, verifyVmToken, putVmSecret, listVmSecrets, deleteVmSecret } = vmContracts;
const ADMIN = [SCOPES.admin, SCOPES.write, SCOPES.read];
const MASTER = 'master-key-of-the-test-8f3a6c1b9d2e4750';
const SHORT = { VM_IDLE_MS: '2000', VM_DRAIN_MS: '60000', VM_WORKSPACE_RETENTION_MS: '1000' };
const KEYED = { ...SHORT, PLEXUS_MASTER_KEY: MASTER };

describe('what the scheduler promises', () => {
  let mesh: SchedulerMesh;
  const acceptance = new Acceptance(() => mesh);
  const { connections, connect, becomes, configure } = acceptance;

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(async () => {
    acceptance.closeAll();
    await configure('_', { tenants: { [TENANT]: {}, other: {} } }); // no quota of one test is left for the next
    await mesh.forgetVms();
  });
  afterAll(() => mesh.stop());

  it('A11: a tenant with a quota of 5 gets 5 VMs of 20 that are wanted at once, 15 refusals, and one more for each that goes', async () => {
    await configure('_', { tenants: { [TENANT]: { limits: { vms: 5 } }, other: {} } });
    const [scheduler] = await Promise.all([mesh.scheduler(KEYED), mesh.scheduler(KEYED)]);
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => mesh.asUser(`quota-${index}`, ensureVm, {})));
    const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.vmId] : []));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as { code: string; details: object }] : []));
    expect([made.length, refused.length]).toEqual([5, 15]);
    for (const error of refused) expect(error).toMatchObject({ code: 'QUOTA_EXCEEDED', retryable: true, details: { limit: 5, live: 5, what: 'tenant' } });

    const [gone] = made as [string];
    await mesh.asUser('op', terminateVm, { vmId: gone }, ADMIN);
    await waitFor(async () => (await mesh.asUser('op', getVm, { vmId: gone }, ADMIN)).vm.state === 'terminated');
    const again = await Promise.allSettled(['late-1', 'late-2', 'late-3'].map((user) => mesh.asUser(user, ensureVm, {})));
    expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await (await fetch(`${await scheduler.ready()}/metrics`)).text()).toContain('plexus_vm_quota_denied_total');

    // Whoever comes next has room, whether or not the schedulers have heard yet that there is no quota any more.
    await configure('_', { tenants: { [TENANT]: {}, other: {} } });
    await mesh.forgetVms();
    await waitFor(async () => (await mesh.asUser('op', listVms, {}, ADMIN)).vms.length === 0);
  });

  it('finding 6: A15, I16: hands a key that a user has stored to the VMs of that user alone, and keeps it nowhere in the clear', async () => {
    const scheduler = await mesh.only(KEYED);
    await mesh.asUser('rae', putVmSecret, { name: 'model', value: 'sk-rae-2f9d1c' });
    expect((await mesh.asUser('rae', listVmSecrets, {})).secrets.map(({ name }) => name)).toEqual(['model']);
    expect((await mesh.asUser('sam', listVmSecrets, {})).secrets).toEqual([]);
    const [rae, sam] = await Promise.all(['rae', 'sam'].map(async (user) => bootstrapped(mesh, (await mesh.asUser(user, ensureVm, {})).vmId)));
    expect([rae?.modelApiKey, sam?.modelApiKey]).toEqual(['sk-rae-2f9d1c', MODEL_KEY]);
    const { epoch, ticket, bootstrapSecret } = rae as Bootstrapped;
    const { vmId } = await mesh.asUser('rae', ensureVm, {});
    await mesh.asGateway(vmContracts.redeemTicket, { ticket, userId: 'rae', clientNonce: 'nonce-of-rae' });
    const attached = await mesh.asGateway(vmContracts.attachVm, { vmId, epoch, gateway: 'gw-test', protocol: 2, clientNonce: 'nonce-of-rae' });
    const address = { vmId, epoch, clientNonce: 'nonce-of-rae', serverNonce: attached.serverNonce ?? '' };
    const boxes = attached.init.api_keys as Record<string, Encrypted>;
    expect(openApiKeys(bootstrapSecret, address, boxes).keys).toEqual(new Map([['model', 'sk-rae-2f9d1c']]));
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

  it('A15: a warm pool of two serves two of three users at once, each with a VM of their own, and is filled again', async () => {
    const file = path.join(mesh.state.path, 'templates.json');
    writeFileSync(file, JSON.stringify({ templates: [{ name: 'pooled' }], pools: [{ id: 'ready', tenant: TENANT, template: 'pooled', size: 2 }] }));
    await mesh.only({ ...KEYED, VM_IDLE_MS: '600000', VM_TEMPLATES_FILE: file });
    const connected = new Set<string>();
    const fill = async (): Promise<boolean> => {
      const { vms } = await mesh.asUser('op', listVms, {}, ADMIN);
      for (const vm of vms.filter(({ pool, state, vmId }) => pool === 'ready' && state === 'booting' && !connected.has(vmId))) {
        await connect(mesh, '_warm', await bootstrapped(mesh, vm.vmId));
        connected.add(vm.vmId);
      }
      return vms.filter(({ state }) => state === 'warm').length === 2;
    };
    await waitFor(fill, { what: 'the pool to be full' });
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
      // Its token may be renewed before it has read whose it is: then it is still `_warm` with the token of its owner.
      expect(await mesh.asGateway(verifyVmToken, { token: bind.frame.data.token, userId: '_warm' })).toMatchObject({ vmId: answer.vmId, owner: user });
      for (const other of users.filter((name) => name !== user))
        await expect(mesh.asGateway(verifyVmToken, { token: bind.frame.data.token, userId: other })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(await mesh.rows(`SELECT id FROM vm_outbox WHERE body::text LIKE $1`, [`%${bind.frame.data.token}%`])).toEqual([]);
    }
    await waitFor(fill, { what: 'the pool to be full again' });
    // Members were started with the key of the platform: who has an own one gets a VM that is started with it.
    await mesh.asUser('nia', putVmSecret, { name: 'model', value: 'sk-nia-0123456789' });
    const own = await mesh.asUser('nia', ensureVm, { template: 'pooled', wait: 'none' });
    expect([own.created, connected.has(own.vmId)]).toEqual([true, false]);
  });

  it('goes on above every epoch that the mesh remembers when its database is older than that', async () => {
    await mesh.endSchedulers();
    await (await mesh.bus.kv(BUCKETS.vmEpoch)).put('vm-of-the-future', 5_000);
    const scheduler = await mesh.only(SHORT);
    const { vmId } = await mesh.asUser('tea', ensureVm, {});
    expect((await bootstrapped(mesh, vmId)).epoch).toBeGreaterThan(5_000);
    await waitFor(() => scheduler.output.includes('it goes on above them'), { what: 'its word about that' });
  });
});
