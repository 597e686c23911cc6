import type { Database, Tx } from '../database.js';
import { type DumpLine, quoted } from './table-dump.js';

interface Target {
  /** Rows of other tenants are hidden from the owner too. */
  readonly forced: boolean;
  readonly columns: ReadonlyMap<string, string>;
  /** Tables that must be filled before this one. */
  readonly needs: ReadonlySet<string>;
}

const BATCH_ROWS = 500;
const BATCH_CHARACTERS = 2_000_000;

/**
 * Replaces the rows of `schemas` by those of a dump, in one transaction: all of it or nothing. The tables must be there as they were when the dump was made,
 * so the same migrations come first. `readLines` is called several times: tables that others refer to are filled first. Returns how many rows went in.
 */
export async function restoreTables(database: Database, schemas: readonly string[], readLines: () => AsyncIterable<DumpLine>): Promise<number> {
  const order: string[] = [];
  for await (const line of readLines()) if (isTable(line)) order.push(line.table.join('.'));
  return database.transaction(async (tx) => {
    await tx.script('SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0');
    const targets = await readTargets(tx, schemas);
    const unknown = order.filter((name) => !targets.has(name));
    if (unknown.length > 0) throw new Error(`there is no table ${unknown.join(', ')} in this database; the migrations do not fit the dump`);
    await tx.script(`TRUNCATE ${[...targets.keys()].map(sqlName).join(', ')}`);
    // What triggers do has been done to these rows, and the owner may hide rows from nobody while it puts them back.
    await alterAll(tx, targets, ({ forced }) => ['DISABLE TRIGGER USER', ...(forced ? ['NO FORCE ROW LEVEL SECURITY'] : [])]);
    let count = 0;
    for (const names of waves(targets, new Set(order))) count += await fill(tx, targets, names, readLines());
    await setSequences(tx, readLines());
    await alterAll(tx, targets, ({ forced }) => ['ENABLE TRIGGER USER', ...(forced ? ['FORCE ROW LEVEL SECURITY'] : [])]);
    return count;
  });
}

async function alterAll(tx: Tx, targets: ReadonlyMap<string, Target>, actions: (target: Target) => readonly string[]): Promise<void> {
  const statements = [...targets].map(([name, target]) => `ALTER TABLE ${sqlName(name)} ${actions(target).join(', ')}`);
  if (statements.length > 0) await tx.script(statements.join('; '));
}

function sqlName(name: string): string {
  return name.split('.').map(quoted).join('.');
}

async function readTargets(tx: Tx, schemas: readonly string[]): Promise<Map<string, Target>> {
  const columns = await tx.query<{ name: string; forced: boolean; columns: string }>(
    'restore_columns',
    `SELECT n.nspname || '.' || c.relname AS name, c.relforcerowsecurity AS forced, json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))::text AS columns
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind = 'r' AND n.nspname = ANY ($1::text[]) AND c.relname <> '_prisma_migrations' AND a.attnum > 0 AND NOT a.attisdropped
      GROUP BY 1, 2`,
    [schemas],
  );
  const links = await tx.query<{ child: string; parent: string }>(
    'restore_links',
    `SELECT cn.nspname || '.' || c.relname AS child, pn.nspname || '.' || p.relname AS parent
       FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
       JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE f.contype = 'f' AND cn.nspname = ANY ($1::text[]) AND f.conrelid <> f.confrelid`,
    [schemas],
  );
  return new Map(
    columns.map(({ name, forced, columns: types }) => [
      name,
      {
        forced,
        columns: new Map(Object.entries(JSON.parse(types) as Record<string, string>)),
        needs: new Set(links.filter(({ child }) => child === name).map(({ parent }) => parent)),
      },
    ]),
  );
}

/** Sets of tables that may be filled one after the other; throws when tables refer to each other in a ring. */
export function waves(targets: ReadonlyMap<string, { readonly needs: ReadonlySet<string> }>, wanted: ReadonlySet<string>): Set<string>[] {
  const open = new Set(wanted);
  const found: Set<string>[] = [];
  while (open.size > 0) {
    const wave = new Set([...open].filter((name) => [...(targets.get(name)?.needs ?? [])].every((parent) => !open.has(parent))));
    if (wave.size === 0) throw new Error(`the tables ${[...open].join(', ')} refer to each other in a ring`);
    for (const name of wave) open.delete(name);
    found.push(wave);
  }
  return found;
}

async function fill(tx: Tx, targets: ReadonlyMap<string, Target>, names: ReadonlySet<string>, lines: AsyncIterable<DumpLine>): Promise<number> {
  let insert: Insert | undefined;
  let count = 0;
  for await (const line of lines) {
    if (Array.isArray(line)) {
      if (insert === undefined) continue;
      await insert.add(line as (string | null)[]);
      count += 1;
    } else {
      await insert?.flush();
      const name = isTable(line) ? line.table.join('.') : undefined;
      insert = name !== undefined && names.has(name) && isTable(line) ? new Insert(tx, line, targets.get(name) as Target) : undefined;
    }
  }
  await insert?.flush();
  return count;
}

class Insert {
  private rows: (string | null)[][] = [];
  private characters = 0;
  private readonly name: string;
  private readonly text: string;

  constructor(
    private readonly tx: Tx,
    { table, columns }: Extract<DumpLine, { readonly table: unknown }>,
    target: Target,
  ) {
    const missing = columns.filter((column) => !target.columns.has(column));
    if (missing.length > 0) throw new Error(`table ${table.join('.')} has no column ${missing.join(', ')}; the migrations do not fit the dump`);
    const values = columns.map((column, index) => `(r ->> ${index})::${target.columns.get(column)}`);
    this.name = `restore_${table.join('_')}`.slice(0, 63);
    this.text = `INSERT INTO ${table.map(quoted).join('.')} (${columns.map(quoted).join(', ')}) OVERRIDING SYSTEM VALUE
      SELECT ${values.join(', ')} FROM json_array_elements($1::json) AS r`;
  }

  async add(row: (string | null)[]): Promise<void> {
    this.rows.push(row);
    for (const value of row) this.characters += value?.length ?? 0;
    if (this.rows.length >= BATCH_ROWS || this.characters >= BATCH_CHARACTERS) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.rows.length === 0) return;
    const rows = this.rows;
    this.rows = [];
    this.characters = 0;
    await this.tx.query(this.name, this.text, [JSON.stringify(rows)]);
  }
}

async function setSequences(tx: Tx, lines: AsyncIterable<DumpLine>): Promise<void> {
  for await (const line of lines) {
    if (Array.isArray(line) || !('sequence' in line)) continue;
    await tx.query('restore_sequence', 'SELECT setval(($1::text)::regclass, $2::bigint, $3::boolean)', [
      line.sequence.map(quoted).join('.'),
      line.value,
      line.called,
    ]);
  }
}

function isTable(line: DumpLine): line is Extract<DumpLine, { readonly table: unknown }> {
  return !Array.isArray(line) && 'table' in line;
}
