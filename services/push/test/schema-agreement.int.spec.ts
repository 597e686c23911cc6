import path from 'node:path';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import pg from 'pg';
import { prismaFolder } from './support/push-on-postgres.js';
import { ddlOf } from './support/schema-engine.js';

/** What Prisma's schema language cannot say and the migration therefore says alone. */
const ONLY_IN_MIGRATION = ['inbox_item_unread_idx', 'outbox_pending_idx'];

const COLUMNS = `
  SELECT table_name, column_name, udt_name, datetime_precision, is_nullable,
         regexp_replace(regexp_replace(coalesce(column_default, ''), 'push\\.', '', 'g'), '::regclass|::jsonb', '', 'g') AS column_default
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> '_prisma_migrations' ORDER BY 1, 2`;
const INDEXES = `
  SELECT indexname, regexp_replace(indexdef, ' ON [a-z]+\\.', ' ON ') AS definition
    FROM pg_indexes WHERE schemaname = current_schema() AND tablename <> '_prisma_migrations' ORDER BY 1`;

describe('prisma/schema.prisma and prisma/migrations', () => {
  const databases: TestDatabase[] = [];
  const pools: pg.Pool[] = [];

  const open = async (migrations?: string, schema?: string): Promise<pg.Pool> => {
    const database = await createTestDatabase(migrations, schema);
    databases.push(database);
    const pool = new pg.Pool({ connectionString: database.url, max: 1, options: `-c search_path=${database.schema}` });
    pools.push(pool);
    return pool;
  };
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()));
    await Promise.all(databases.map((database) => database.drop()));
  });

  it('describe the same tables, columns, keys and indexes', async () => {
    const migrated = await open(path.join(prismaFolder, 'migrations'), 'push');
    const declared = await open();
    const ddl = await ddlOf(path.join(prismaFolder, 'schema.prisma'), declared);
    expect(ddl).toContain('CREATE TABLE "subscription"');
    await declared.query(ddl);

    const columns = async (pool: pg.Pool) => (await pool.query(COLUMNS)).rows;
    const indexes = async (pool: pg.Pool) => (await pool.query(INDEXES)).rows.filter(({ indexname }) => !ONLY_IN_MIGRATION.includes(indexname));
    expect(await columns(migrated)).toEqual(await columns(declared));
    expect(await indexes(migrated)).toEqual(await indexes(declared));
    expect((await migrated.query(INDEXES)).rows.map(({ indexname }) => indexname)).toEqual(expect.arrayContaining(ONLY_IN_MIGRATION));
  });
});
