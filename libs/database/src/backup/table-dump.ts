import type { Database, Tx } from '../database.js';

/** One line of a dump: a table begins, a row of it, or a sequence. Values are what Postgres prints of them. */
export type DumpLine =
  | { readonly table: readonly [schema: string, table: string]; readonly columns: readonly string[] }
  | readonly (string | null)[]
  | { readonly sequence: readonly [schema: string, name: string]; readonly value: string; readonly called: boolean };

export interface DumpedDatabase {
  readonly serverVersion: string;
  /** When the snapshot was taken: everything committed before is in it, nothing after. */
  readonly takenAt: string;
  /** Rows by `schema.table`. */
  readonly tables: Readonly<Record<string, number>>;
  /** What had been applied to each schema. */
  readonly migrations: Readonly<Record<string, readonly AppliedMigration[]>>;
}

export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
}

/** Rows that are held in memory at a time; of a table with bytes fewer: a row may be half a megabyte, and twice that as text. */
const PAGE = { rows: 100, rowsWithBytes: 16 } as const;
/** Kept apart: a restore applies the migrations itself. */
const TRACKING = '_prisma_migrations';

/**
 * Writes all rows of `schemas` as of one moment, line by line. Everything is read in one snapshot, so rows of different tables fit together whatever is
 * written meanwhile; nobody is held up. The same lines come from Postgres and from PGlite, and either takes the other's. Missing schemas are left out, and
 * tables called like `derived`, which somebody can make again. Rejects when the user may not see every row (row-level security): half a backup is none.
 */
export async function dumpTables(
  database: Database,
  { schemas, derived }: { readonly schemas: readonly string[]; readonly derived?: RegExp | undefined },
  write: (line: DumpLine) => Promise<void> | void,
): Promise<DumpedDatabase> {
  let begun = false;
  return database.transaction(
    async (tx) => {
      // Its lines are written already: a transaction that is run again after a conflict (a standby, a migration) would write them twice.
      if (begun) throw new Error('the database broke off what it was reading; take the backup again');
      begun = true;
      // Reading a large table takes longer than a service may wait for its statements.
      await tx.script('SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off');
      const [server] = await tx.query<{ version: string; now: string }>(
        'dump_server',
        `SELECT current_setting('server_version') AS version, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`,
      );
      const tables: Record<string, number> = {};
      const migrations: Record<string, AppliedMigration[]> = {};
      for (const table of await readTables(tx, schemas)) {
        const { schema, name } = table;
        if (derived?.test(name)) continue;
        if (name === TRACKING) migrations[schema] = await readMigrations(tx, schema);
        else tables[`${schema}.${name}`] = await dumpTable(tx, table, write);
      }
      await dumpSequences(tx, schemas, write);
      return { serverVersion: server?.version ?? '', takenAt: server?.now ?? '', tables, migrations };
    },
    { isolation: 'repeatable read', readOnly: true },
  );
}

interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly hasBytes: boolean;
}

/** Generated columns are left out: the database makes them again. */
async function readTables(tx: Tx, schemas: readonly string[]): Promise<TableRow[]> {
  const rows = await tx.query<{ schema: string; name: string; columns: string; hasBytes: boolean }>(
    'dump_tables',
    `SELECT n.nspname AS schema, c.relname AS name, json_agg(a.attname ORDER BY a.attnum)::text AS columns,
            bool_or(a.atttypid = 'bytea'::regtype) AS "hasBytes"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind = 'r' AND n.nspname = ANY ($1::text[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      GROUP BY 1, 2 ORDER BY 1, 2`,
    [schemas],
  );
  return rows.map(({ columns, ...row }) => ({ ...row, columns: JSON.parse(columns) as string[] }));
}

async function dumpTable(tx: Tx, { schema, name, columns, hasBytes }: TableRow, write: (line: DumpLine) => Promise<void> | void): Promise<number> {
  await write({ table: [schema, name], columns });
  const values = columns.map((column, index) => `${quoted(column)}::text AS c${index}`).join(', ');
  // A cursor: a table may be larger than memory.
  await tx.script(`DECLARE plexus_dump NO SCROLL CURSOR FOR SELECT ${values} FROM ${quoted(schema)}.${quoted(name)}`);
  const rows = hasBytes ? PAGE.rowsWithBytes : PAGE.rows;
  let count = 0;
  for (;;) {
    // A name of its own for every table: the shape of the answer is prepared with it.
    const page = await tx.query<Record<string, string | null>>(`dump_${schema}_${name}`.slice(0, 63), `FETCH ${rows} FROM plexus_dump -- ${schema}.${name}`);
    for (const row of page) await write(columns.map((_column, index) => row[`c${index}`] ?? null));
    count += page.length;
    if (page.length < rows) break;
  }
  await tx.script('CLOSE plexus_dump');
  return count;
}

async function dumpSequences(tx: Tx, schemas: readonly string[], write: (line: DumpLine) => Promise<void> | void): Promise<void> {
  const sequences = await tx.query<{ schema: string; name: string }>(
    'dump_sequences',
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'S' AND n.nspname = ANY ($1::text[]) ORDER BY 1, 2`,
    [schemas],
  );
  for (const { schema, name } of sequences) {
    const [state] = await tx.query<{ value: string; called: boolean }>(
      `dump_seq_${schema}_${name}`.slice(0, 63),
      `SELECT last_value::text AS value, is_called AS called FROM ${quoted(schema)}.${quoted(name)}`,
    );
    if (state !== undefined) await write({ sequence: [schema, name], value: state.value, called: state.called });
  }
}

async function readMigrations(tx: Tx, schema: string): Promise<AppliedMigration[]> {
  return tx.query<{ name: string; checksum: string }>(
    `dump_migrations_${schema}`.slice(0, 63),
    `SELECT migration_name AS name, checksum FROM ${quoted(schema)}.${TRACKING} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
  );
}

/** An identifier as SQL takes it. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
