import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { createDatabase, type Database, MigrationError, migrate, migrationsState } from '../src/index.js';

const SCHEMA = 'shop';
const FIRST = { '20260101000000_init': 'CREATE TABLE orders (id int PRIMARY KEY);\nCREATE INDEX orders_idx ON orders (id);\n' };
const SECOND = { '20260201000000_note': 'ALTER TABLE orders ADD COLUMN note text;\n' };

let target: TestDatabase;
let database: Database;
let folder: string;

function write(migrations: Record<string, string>): void {
  for (const [name, sql] of Object.entries(migrations)) {
    mkdirSync(path.join(folder, name), { recursive: true });
    writeFileSync(path.join(folder, name, 'migration.sql'), sql);
  }
}

const run = () => migrate({ url: target.url, schema: SCHEMA, directory: folder });
const records = () => database.query('records', `SELECT * FROM ${SCHEMA}._prisma_migrations ORDER BY started_at`);

beforeEach(async () => {
  target = await createTestDatabase();
  database = await createDatabase(target.url, { schema: SCHEMA, applicationName: 'spec' });
  folder = mkdtempSync(path.join(tmpdir(), 'migrations-'));
  writeFileSync(path.join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n');
});
afterEach(async () => {
  await database.close();
  await target.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('applies what is pending in order, once, and records it as Prisma does', async () => {
  write(FIRST);
  expect(await migrationsState(database, folder)).toMatchObject({ pending: ['20260101000000_init'], applied: [], upToDate: false });
  expect(await run()).toEqual(['20260101000000_init']);
  write(SECOND);
  expect(await run()).toEqual(['20260201000000_note']);
  expect(await run()).toEqual([]);
  expect(await records()).toEqual(
    [...Object.keys(FIRST), ...Object.keys(SECOND)].map((name) => ({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
      migration_name: name,
      started_at: expect.any(Date),
      finished_at: expect.any(Date),
      applied_steps_count: 1,
      logs: null,
      rolled_back_at: null,
    })),
  );
  expect(await database.query('columns', 'SELECT id, note FROM orders')).toEqual([]);
  expect(await migrationsState(database, folder)).toMatchObject({ pending: [], upToDate: true });
});

test('five processes that start at once apply every migration once', async () => {
  write({ ...FIRST, ...SECOND });
  const applied = await Promise.all([run(), run(), run(), run(), run()]);
  expect(applied.flat().sort()).toEqual(['20260101000000_init', '20260201000000_note']);
  expect(await records()).toHaveLength(2);
});

test('refuses a migration that was changed after it was applied, but not another line ending', async () => {
  write(FIRST);
  await run();
  write({ '20260101000000_init': FIRST['20260101000000_init'].replaceAll('\n', '\r\n') });
  expect(await run()).toEqual([]);
  write({ '20260101000000_init': 'CREATE TABLE orders (id bigint PRIMARY KEY);\n' });
  expect(await migrationsState(database, folder)).toMatchObject({ changed: ['20260101000000_init'], upToDate: false });
  await expect(run()).rejects.toThrow(/20260101000000_init was changed after it was applied/);
});

test('a migration that fails leaves nothing behind, neither its tables nor its row, and what came before stays', async () => {
  write({ ...FIRST, '20260301000000_broken': 'CREATE TABLE half (id int);\nSELECT * FROM missing;\n' });
  await expect(run()).rejects.toThrow(MigrationError);
  await expect(run()).rejects.toThrow(/20260301000000_broken of schema shop failed \(42P01\)/);
  expect(await records()).toHaveLength(1);
  expect(await database.query('half', "SELECT 1 FROM information_schema.tables WHERE table_name = 'half'")).toEqual([]);
});

test('refuses to go on after a migration that another tool left half done', async () => {
  write(FIRST);
  await run();
  await database.script(`UPDATE ${SCHEMA}._prisma_migrations SET finished_at = NULL`);
  expect(await migrationsState(database, folder)).toMatchObject({ failed: ['20260101000000_init'], upToDate: false });
  await expect(run()).rejects.toThrow(/begun and not finished/);
  await database.script(`UPDATE ${SCHEMA}._prisma_migrations SET rolled_back_at = now()`);
  expect(await migrationsState(database, folder)).toMatchObject({ failed: [], pending: ['20260101000000_init'] });
});

test('a database that a newer version has migrated counts as up to date', async () => {
  write({ ...FIRST, ...SECOND });
  await run();
  rmSync(path.join(folder, '20260201000000_note'), { recursive: true });
  expect(await migrationsState(database, folder)).toMatchObject({ unknown: ['20260201000000_note'], upToDate: true });
});

test("Prisma's engine finds nothing to do after us, and we find nothing to do after it", async () => {
  write(FIRST);
  await run();
  expect(await prismaDeploy()).toEqual([]);
  write(SECOND);
  expect(await prismaDeploy()).toEqual(['20260201000000_note']);
  expect(await run()).toEqual([]);
  expect(await migrationsState(database, folder)).toMatchObject({ upToDate: true });
});

/** In a process of its own: the engine does not run inside Jest's realm. */
async function prismaDeploy(): Promise<string[]> {
  const script = path.join(import.meta.dirname, 'support/prisma-deploy.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, SCHEMA, folder], {
    env: { ...process.env, DATABASE_URL: target.url },
    timeout: 120_000,
  });
  return JSON.parse(stdout);
}
