import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import pg from 'pg';
import { Prisma, PrismaClient } from '../gen/client.js';
import { prismaFolder } from './support/mesh.js';

const MODELS = {
  vms: [Prisma.VmScalarFieldEnum, 'vm'],
  vm_instances: [Prisma.VmInstanceScalarFieldEnum, 'vmInstance'],
  vm_tickets: [Prisma.VmTicketScalarFieldEnum, 'vmTicket'],
  vm_sessions: [Prisma.VmSessionScalarFieldEnum, 'vmSession'],
  vm_outbox: [Prisma.VmOutboxFrameScalarFieldEnum, 'vmOutboxFrame'],
  vm_inbox_mark: [Prisma.VmInboxMarkScalarFieldEnum, 'vmInboxMark'],
  vm_runs: [Prisma.VmRunScalarFieldEnum, 'vmRun'],
  vm_transitions: [Prisma.VmTransitionScalarFieldEnum, 'vmTransition'],
  vm_dead_letters: [Prisma.VmDeadLetterScalarFieldEnum, 'vmDeadLetter'],
  session_snapshots: [Prisma.SessionSnapshotScalarFieldEnum, 'sessionSnapshot'],
  vm_audit: [Prisma.VmAuditScalarFieldEnum, 'vmAudit'],
  usage: [Prisma.UsageScalarFieldEnum, 'usage'],
  vm_templates: [Prisma.VmTemplateScalarFieldEnum, 'vmTemplate'],
  tenant_quota: [Prisma.TenantQuotaScalarFieldEnum, 'tenantQuota'],
  hosts: [Prisma.HostScalarFieldEnum, 'host'],
  warm_pools: [Prisma.WarmPoolScalarFieldEnum, 'warmPool'],
  vm_activity: [Prisma.VmActivityScalarFieldEnum, 'vmActivity'],
  provider_breakers: [Prisma.ProviderBreakerScalarFieldEnum, 'providerBreaker'],
  scheduler_jobs: [Prisma.SchedulerJobScalarFieldEnum, 'schedulerJob'],
  provider_secrets: [Prisma.ProviderSecretScalarFieldEnum, 'providerSecret'],
  scheduler_pulse: [Prisma.SchedulerPulseScalarFieldEnum, 'schedulerPulse'],
  skills: [Prisma.SkillScalarFieldEnum, 'skill'],
  outbox: [Prisma.OutboxMessageScalarFieldEnum, 'outboxMessage'],
} as const;

const camel = (name: string): string => name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

describe('prisma/schema.prisma and the migrations', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let client: PrismaClient;

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = new pg.Pool({ connectionString: database.url, max: 1, options: '-c search_path=scheduler' });
    // A pool has ended before its server process has: dropping the database may still end that one by force, which is no news here.
    pool.on('error', () => undefined);
    client = new PrismaClient({ adapter: new PrismaPg(pool, { schema: 'scheduler' }) });
  });
  afterAll(async () => {
    await client.$disconnect();
    await pool.end();
    await database.drop();
  });

  it('name the same tables', async () => {
    const { rows } = await pool.query<{ table_name: string }>(
      `SELECT table_name FROM information_schema.tables WHERE table_schema = 'scheduler' AND table_name NOT LIKE '\\_%' ORDER BY 1`,
    );
    expect(rows.map((row) => row.table_name)).toEqual(Object.keys(MODELS).sort());
  });

  it.each(Object.entries(MODELS))('agree about %s', async (table, [fields, model]) => {
    const { rows } = await pool.query<{ column_name: string }>(
      `SELECT column_name FROM information_schema.columns WHERE table_schema = 'scheduler' AND table_name = $1 ORDER BY 1`,
      [table],
    );
    expect(rows.map((row) => camel(row.column_name)).sort()).toEqual(Object.values(fields).sort());
    // Reads every column with the type that the schema declares.
    await expect((client[model] as unknown as { findFirst(): Promise<unknown> }).findFirst()).resolves.toBeNull();
  });

  it('keep the promises that only the database can keep', async () => {
    const insert = (id: string, state: string) =>
      pool.query(`INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at) VALUES ($1, 't', 'u', 'user', $2, now())`, [id, state]);
    await insert('vm-1', 'terminated');
    await insert('vm-2', 'paused');
    await expect(insert('vm-3', 'requested')).rejects.toThrow('vms_live_owner');
    await expect(insert('vm-4', 'gone')).rejects.toThrow('vms_state_check');
    await expect(pool.query(`UPDATE vms SET next_action_at = NULL WHERE id = 'vm-2'`)).rejects.toThrow('vms_next_action_check');
    const instance = () => pool.query(`INSERT INTO vm_instances (vm_id, provider, provider_name, phase) VALUES ('vm-2', 'local', 'x', 'creating')`);
    await instance();
    await expect(instance()).rejects.toThrow('vm_instances_present_key');
  });
});
