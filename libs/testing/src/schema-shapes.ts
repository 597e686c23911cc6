import path from 'node:path';
import pg from 'pg';
import { ddlOf } from './schema-ddl.js';
import { createTestDatabase, type TestDatabase } from './test-postgres.js';

/** Columns and indexes of one schema, in a stable order and without the schema's own name. */
export interface SchemaShape {
  readonly columns: readonly Record<string, unknown>[];
  readonly indexes: readonly { readonly name: string; readonly definition: string }[];
}

export interface SchemaShapesOptions {
  /** The service's `prisma` folder. */
  readonly prismaFolder: string;
  readonly schema: string;
  /** SQL that must run before the declared tables can be made, for what Prisma's schema language cannot say (a sequence, say). */
  readonly before?: string;
}

/**
 * The same schema made twice on real Postgres: from `schema.prisma`, as Prisma's own engine would write it, and from the migrations.
 * A service's suite expects both to be equal but for what it names.
 */
export async function schemaShapes(options: SchemaShapesOptions): Promise<{ readonly declared: SchemaShape; readonly migrated: SchemaShape }> {
  const databases: TestDatabase[] = [];
  const pools: pg.Pool[] = [];
  const open = async (migrations?: string, schema?: string): Promise<pg.Pool> => {
    const database = await createTestDatabase(migrations, schema);
    databases.push(database);
    const pool = new pg.Pool({ connectionString: database.url, max: 1, options: `-c search_path=${database.schema}` });
    // A pool has ended before its server process has: dropping the database may still end that one by force, which is no news here.
    pool.on('error', () => undefined);
    pools.push(pool);
    return pool;
  };
  try {
    const migrated = await open(path.join(options.prismaFolder, 'migrations'), options.schema);
    const declared = await open();
    if (options.before !== undefined) await declared.query(options.before);
    await declared.query(await ddlOf(path.join(options.prismaFolder, 'schema.prisma'), declared));
    return { declared: await shapeOf(declared, options.schema), migrated: await shapeOf(migrated, options.schema) };
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
    await Promise.all(databases.map((database) => database.drop()));
  }
}

async function shapeOf(pool: pg.Pool, schema: string): Promise<SchemaShape> {
  const columns = await pool.query(
    `SELECT table_name, column_name, udt_name, datetime_precision, is_nullable,
            regexp_replace(regexp_replace(coalesce(column_default, ''), $1, '', 'g'), '::regclass|::jsonb|::text', '', 'g') AS fallback
       FROM information_schema.columns WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_%' ORDER BY 1, 2`,
    [`${schema}\\.`],
  );
  const indexes = await pool.query(
    `SELECT indexname AS name, regexp_replace(indexdef, ' ON [a-z_]+\\.', ' ON ') AS definition
       FROM pg_indexes WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_%' ORDER BY 1`,
  );
  return { columns: columns.rows, indexes: indexes.rows };
}
