import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { schemaShapes } from '@plexus/testing';

/** What Prisma's schema language cannot say and the migration therefore says alone. */
const ONLY_IN_MIGRATION = [
  'inbox_item_unread_idx',
  'inbox_item_escalates_idx',
  'outbox_pending_idx',
  'timer_due_idx',
  'policy_active_idx',
  'decision_event_id_idx',
];

it('schema.prisma and the migrations describe the same tables, columns, keys and indexes', async () => {
  const prismaFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../prisma');
  const { declared, migrated } = await schemaShapes({ prismaFolder, schema: 'push' });
  expect(declared.columns.length).toBeGreaterThan(10);
  expect(migrated.columns).toEqual(declared.columns);
  expect(migrated.indexes.filter(({ name }) => !ONLY_IN_MIGRATION.includes(name))).toEqual(declared.indexes);
  expect(migrated.indexes.map(({ name }) => name)).toEqual(expect.arrayContaining(ONLY_IN_MIGRATION));
});
