import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { schemaShapes } from '@plexus/testing';

/** What Prisma's schema language cannot say and the migration therefore says alone. */
const ONLY_IN_MIGRATION = [
  'outbox_pending_idx',
  'vm_instances_present_key',
  'vm_runs_check_idx',
  'vm_runs_open_idx',
  'vm_runs_unbound_idx',
  'vm_templates_current_key',
  'vms_due_idx',
  'vms_live_owner',
  'vms_pool_idx',
  'vms_quota_idx',
  'vms_workspace_idx',
];

it('schema.prisma and the migrations describe the same tables, columns, keys and indexes', async () => {
  const prismaFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../prisma');
  const { declared, migrated } = await schemaShapes({ prismaFolder, schema: 'scheduler', before: 'CREATE SEQUENCE vm_epoch_seq' });
  expect(declared.columns.length).toBeGreaterThan(10);
  expect(migrated.columns).toEqual(declared.columns);
  expect(migrated.indexes.filter(({ name }) => !ONLY_IN_MIGRATION.includes(name))).toEqual(declared.indexes);
  expect(migrated.indexes.map(({ name }) => name)).toEqual(expect.arrayContaining(ONLY_IN_MIGRATION));
});
