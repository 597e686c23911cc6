import path from 'node:path';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import pg from 'pg';
import { migrationsFolder } from '../src/adapters/postgres/migrations.js';
import { ddlOf } from './support/schema-engine.js';

/** What Prisma's schema language cannot say and the migration therefore says alone. */
const ONLY_IN_MIGRATION = ['messages_answer_key', 'outbox_pending_idx', 'runs_due_idx', 'runs_open_idx'];

const COLUMNS = `
  SELECT table_name, column_name, udt_name, datetime_precision, is_nullable, regexp_replace(coalesce(column_default, ''), 'routing\\.', '', 'g') AS fallback
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_%' ORDER BY 1, 2`;
const INDEXES = `
  SELECT indexname, regexp_replace(indexdef, ' ON [a-z]+\\.', ' ON ') AS definition
    FROM pg_indexes WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_%' ORDER BY 1`;

const databases: TestDatabase[] = [];
const pools: pg.Pool[] = [];

async function open(migrations?: string, schema?: string): Promise<pg.Pool> {
  const database = await createTestDatabase(migrations, schema);
  databases.push(database);
  const pool = new pg.Pool({ connectionString: database.url, max: 1, options: `-c search_path=${database.schema}` });
  pools.push(pool);
  return pool;
}
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await Promise.all(databases.map((database) => database.drop()));
});

test('schema.prisma and the migrations describe the same tables, columns, keys and indexes', async () => {
  const migrated = await open(migrationsFolder(), 'routing');
  const declared = await open();
  const ddl = await ddlOf(path.join(migrationsFolder(), '../schema.prisma'), declared);
  expect(ddl).toContain('CREATE TABLE "sessions"');
  await declared.query(ddl);
  const rows = async (pool: pg.Pool, text: string) => (await pool.query(text)).rows;
  const indexes = async (pool: pg.Pool) => (await rows(pool, INDEXES)).filter(({ indexname }) => !ONLY_IN_MIGRATION.includes(indexname));
  expect(await rows(migrated, COLUMNS)).toEqual(await rows(declared, COLUMNS));
  expect(await indexes(migrated)).toEqual(await indexes(declared));
  expect((await rows(migrated, INDEXES)).map(({ indexname }) => indexname)).toEqual(expect.arrayContaining(ONLY_IN_MIGRATION));
});
