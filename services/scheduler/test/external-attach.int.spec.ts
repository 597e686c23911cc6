import path from 'node:path';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { systemClock, ulid } from '@plexus/kernel';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { ExternalProvider } from '../src/adapters/external/external-provider.js';
import { externalVms } from '../src/adapters/external/external-vms.js';
import { PostgresExternalIncarnations } from '../src/adapters/external/postgres-external-incarnations.js';
import { PostgresAdmissionStore } from '../src/adapters/postgres/postgres-admission-store.js';
import { Admission, type VmTokens } from '../src/application/admission.js';
import { AttachExternal, type AttachTicket } from '../src/application/attach-external.js';
import { prismaFolder } from './support/mesh.js';

const tokens: VmTokens = {
  mint: async (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url'),
  verify: async (token) => JSON.parse(Buffer.from(token, 'base64url').toString()) as Awaited<ReturnType<VmTokens['verify']>>,
};
const settings = { rootSecret: 'kP3x-vX9q_7rT2mZ8wLb5nYc4hJd6sGf1aQe0uViRoB', tokenTtlMs: 3_600_000 };

describe('external VMs in Postgres', () => {
  let database: TestDatabase;
  let pool: PostgresDatabase;
  let provider: ExternalProvider;
  let admission: Admission;
  const fenced = new Map<string, number>();
  let statements = 0;

  const rows = <R>(sql: string, parameters: unknown[] = []): Promise<R[]> => {
    statements += 1;
    return pool.query<R>(`spec_${statements}`, sql, parameters);
  };
  /** A VM whose incarnation waits for a runtime, as the reconciler leaves it. */
  const waitingVm = async (by = 'external'): Promise<{ vmId: string; epoch: number; subject: string }> => {
    const vmId = `vm-${ulid()}`;
    const subject = `user-${vmId}`;
    await rows(`INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at) VALUES ($1, 'acme', $2, 'user', 'booting', now())`, [
      vmId,
      subject,
    ]);
    const [instance] = await rows<{ epoch: number }>(
      `INSERT INTO vm_instances (vm_id, provider, provider_name, phase) VALUES ($1, $2, $1, 'running') RETURNING epoch`,
      [vmId, by],
    );
    const epoch = instance?.epoch ?? 0;
    await rows('UPDATE vms SET current_epoch = $2 WHERE id = $1', [vmId, epoch]);
    return { vmId, epoch, subject };
  };
  const attach = ({ vmId, subject }: { vmId: string; subject: string }, waitMs = 0): Promise<AttachTicket> => {
    const vms = externalVms({ database: pool, tokens, attachMs: 600_000, ...settings, ensure: async () => ({ vmId }) });
    const changes = { wait: async (_vmId: string, ms: number) => systemClock.sleep(Math.min(ms, 50)) };
    const useCase = new AttachExternal(vms, changes, systemClock, { ws: 'wss://mesh.example/ws/vm', attachMs: 600_000 });
    return useCase.execute({
      owner: { tenant: 'acme', subject, scope: 'user' },
      template: undefined,
      waitMs,
      signal: new AbortController().signal,
    });
  };

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'test', max: 4 });
    const incarnations = new PostgresExternalIncarnations(pool);
    provider = new ExternalProvider({ incarnations, epochs: { raise: async (vmId, epoch) => void fenced.set(vmId, epoch) }, attachMs: 600_000 });
    admission = new Admission(new PostgresAdmissionStore(pool, 'replica'), tokens, { ticketTtlMs: 1, modelApiKey: undefined, ...settings });
  });
  afterAll(async () => {
    await pool.close();
    await database.drop();
  });

  it('gives a ticket that lets one runtime in, once, as exactly this incarnation', async () => {
    const vm = await waitingVm();
    const given = await attach(vm);
    expect(given).toMatchObject({ vmId: vm.vmId, epoch: vm.epoch, userId: vm.subject, ws: 'wss://mesh.example/ws/vm' });
    expect(await admission.verify(given.token, 'acme', vm.subject)).toMatchObject({ vmId: vm.vmId, epoch: vm.epoch });
    expect(await admission.redeem(given.ticket, 'acme', vm.subject, 'nonce-1')).toEqual({ vmId: vm.vmId, epoch: vm.epoch });
    await expect(admission.redeem(given.ticket, 'acme', vm.subject, 'nonce-2')).rejects.toMatchObject({ code: 'TICKET_INVALID' });
    const stored = JSON.stringify(await rows('SELECT * FROM vm_tickets WHERE vm_id = $1', [vm.vmId]));
    expect(stored).not.toContain(given.ticket);
  });

  it('makes an earlier ticket worthless when it gives another', async () => {
    const vm = await waitingVm();
    const [first, second] = [await attach(vm), await attach(vm)];
    await expect(admission.redeem(first.ticket, 'acme', vm.subject, undefined)).rejects.toMatchObject({ code: 'TICKET_INVALID' });
    expect(await admission.redeem(second.ticket, 'acme', vm.subject, undefined)).toMatchObject({ epoch: vm.epoch });
  });

  it('gives no second ticket while the runtime of the first is connecting', async () => {
    const vm = await waitingVm();
    const { ticket } = await attach(vm);
    await admission.redeem(ticket, 'acme', vm.subject, undefined);
    await expect(attach(vm)).rejects.toMatchObject({ code: 'VM_UNAVAILABLE' });
    await rows(`UPDATE vm_tickets SET used_at = used_at - interval '1 minute' WHERE vm_id = $1`, [vm.vmId]);
    expect(await attach(vm)).toMatchObject({ epoch: vm.epoch });
  });

  it('of two tickets asked for at the same time at most one works', async () => {
    const vm = await waitingVm();
    const given = await Promise.all([attach(vm, 60_000), attach(vm, 60_000), attach(vm, 60_000)]);
    const admitted = await Promise.allSettled(given.map(({ ticket }) => admission.redeem(ticket, 'acme', vm.subject, undefined)));
    expect(admitted.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('gives none for a VM that is connected, ending, or started by the scheduler itself', async () => {
    const connected = await waitingVm();
    await rows('UPDATE vm_instances SET attached_at = now() WHERE vm_id = $1', [connected.vmId]);
    await expect(attach(connected)).rejects.toMatchObject({ code: 'CONFLICT' });
    const ours = await waitingVm('local');
    await expect(attach(ours)).rejects.toMatchObject({ code: 'CONFLICT' });
    const ending = await waitingVm();
    await rows(`UPDATE vms SET desired_state = 'terminated' WHERE id = $1`, [ending.vmId]);
    await expect(attach(ending)).rejects.toMatchObject({ code: 'VM_UNAVAILABLE' });
    expect(await rows('SELECT 1 FROM vm_tickets WHERE vm_id = ANY($1)', [[connected.vmId, ours.vmId, ending.vmId]])).toEqual([]);
  });

  it('waits until the VM can be attached', async () => {
    const vm = await waitingVm();
    await rows(`UPDATE vms SET state = 'requested' WHERE id = $1`, [vm.vmId]);
    const given = attach(vm, 60_000);
    await systemClock.sleep(100);
    await rows(`UPDATE vms SET state = 'booting' WHERE id = $1`, [vm.vmId]);
    expect(await given).toMatchObject({ epoch: vm.epoch });
  });

  it('takes tickets away and fences when the VM is destroyed, and says unknown while its row admits it', async () => {
    const vm = await waitingVm();
    const key = { vmId: vm.vmId, epoch: vm.epoch };
    const { ticket } = await attach(vm);
    expect(await provider.observe(key)).toMatchObject({ phase: 'running' });
    expect((await provider.list()).map(({ vmId }) => vmId)).toContain(vm.vmId);
    expect(await provider.destroy(key, { force: false })).toMatchObject({ phase: 'unknown' });
    await expect(admission.redeem(ticket, 'acme', vm.subject, undefined)).rejects.toMatchObject({ code: 'TICKET_INVALID' });
    await rows(`UPDATE vm_instances SET phase = 'stopping' WHERE vm_id = $1`, [vm.vmId]);
    expect(await provider.destroy(key, { force: false })).toEqual({ phase: 'absent' });
    expect(await provider.observe(key)).toEqual({ phase: 'absent' });
    expect(fenced.get(vm.vmId)).toBeGreaterThan(vm.epoch);
    expect((await waitingVm()).epoch).toBeGreaterThan(fenced.get(vm.vmId) ?? Number.NaN);
    expect((await provider.list()).map(({ vmId }) => vmId)).not.toContain(vm.vmId);
  });
});
