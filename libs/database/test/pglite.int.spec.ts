import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitFor } from '@plexus/testing';
import {
  appendOutbox,
  createDatabase,
  isUniqueViolation,
  migrate,
  migrationsState,
  OUTBOX_DDL,
  OutboxRelay,
  tryAcquireSessionLock,
  withAdvisoryLock,
} from '../src/index.js';
import { openPglite, type PgliteDatabase } from '../src/pglite.js';
import { lockDirectory } from '../src/pglite-directory-lock.js';

let folder: string;
let database: PgliteDatabase;

const MIGRATION = `CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE notes (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), big int8, doc jsonb, embedding vector(3));
${OUTBOX_DDL}
`;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'pglite-'));
  mkdirSync(path.join(folder, 'migrations/20260101000000_init'), { recursive: true });
  writeFileSync(path.join(folder, 'migrations/20260101000000_init/migration.sql'), MIGRATION);
  database = await openPglite(path.join(folder, 'data'), { schema: 'memory' });
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const directory = () => path.join(folder, 'migrations');

test('migrations apply inside the schema and are up to date afterwards', async () => {
  expect(await migrationsState(database, directory())).toMatchObject({ upToDate: false });
  expect(await migrate({ database, schema: 'memory', directory: directory() })).toEqual(['20260101000000_init']);
  expect(await migrate({ database, schema: 'memory', directory: directory() })).toEqual([]);
  expect(await migrationsState(database, directory())).toMatchObject({ upToDate: true });
  expect(await database.query('where', "SELECT table_schema FROM information_schema.tables WHERE table_name = 'notes'")).toEqual([{ table_schema: 'memory' }]);
});

test('the same SQL gives the same values as Postgres', async () => {
  await database.query('put', 'INSERT INTO notes (id, big, doc, embedding) VALUES ($1, $2, $3::jsonb, $4::vector)', [1, 2 ** 40, '{"a":[1]}', '[1,2,3]']);
  const rows = await database.query('get', 'SELECT id, at, big, doc, embedding <-> $1::vector AS distance, count(*) OVER () AS n FROM notes', ['[1,2,4]']);
  expect(rows).toEqual([{ id: 1, at: expect.any(Date), big: 2 ** 40, doc: { a: [1] }, distance: 1, n: 1 }]);
  const failure = await database.query('dup', 'INSERT INTO notes (id) VALUES (1)').catch((error: unknown) => error);
  expect(isUniqueViolation(failure)).toBe(true);
});

test('transactions roll back, and run one after another', async () => {
  await expect(
    database.transaction(async (tx) => {
      await tx.query('put', 'INSERT INTO notes (id) VALUES (50)');
      throw new RangeError('undo');
    }),
  ).rejects.toThrow(RangeError);
  const order: string[] = [];
  const one = (name: string) =>
    database.transaction((tx) =>
      withAdvisoryLock(tx, 'notes', async () => {
        order.push(`${name} in`);
        await tx.query('count', 'SELECT count(*) FROM notes');
        order.push(`${name} out`);
      }),
    );
  await Promise.all([one('a'), one('b')]);
  expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
  expect(await database.query('gone', 'SELECT 1 FROM notes WHERE id = 50')).toEqual([]);
});

test('a batch is one transaction: the rows of each statement, or nothing of any', async () => {
  const put = (id: number) => ({ name: `put${id}`, text: 'INSERT INTO notes (id) VALUES ($1) RETURNING id', params: [id] });
  expect(await database.batch([put(60), { name: 'all', text: 'SELECT id FROM notes WHERE id >= 60' }])).toEqual([[{ id: 60 }], [{ id: 60 }]]);
  const failure = await database.batch([put(61), put(60), put(62)]).catch((error: unknown) => error);
  expect(isUniqueViolation(failure, 'notes_pkey')).toBe(true);
  expect(await database.query('all', 'SELECT id FROM notes WHERE id >= 60')).toEqual([{ id: 60 }]);
  await expect(database.batch([put(63)], { readOnly: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await database.query('tidy', 'DELETE FROM notes WHERE id >= 60');
});

test('statements that were kept know of tables that changed', async () => {
  const read = () => database.query('changing', 'SELECT * FROM changing');
  await database.script('CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)');
  expect(await read()).toEqual([{ a: 1 }]);
  await database.script('ALTER TABLE changing ADD COLUMN b text');
  expect(await read()).toEqual([{ a: 1, b: null }]);
  for (let n = 0; n < 300; n += 1) await database.query('many', `SELECT ${n} AS n`);
  expect(await read()).toEqual([{ a: 1, b: null }]);
  const [kept] = await database.query<{ n: number }>('kept', 'SELECT count(*)::int AS n FROM pg_prepared_statements');
  expect(kept?.n).toBeLessThanOrEqual(257);
});

test('a session lock excludes a second holder until it is released', async () => {
  const first = await tryAcquireSessionLock(database, 'work');
  expect(first).toBeDefined();
  expect(await tryAcquireSessionLock(database, 'work')).toBeUndefined();
  await first?.release();
  const again = await tryAcquireSessionLock(database, 'work');
  expect(again).toBeDefined();
  await again?.release();
});

test('the outbox works, with one relay at a time', async () => {
  const published: string[] = [];
  const publish = async (_subject: string, body: Uint8Array) => void published.push(Buffer.from(body).toString());
  const relays = [new OutboxRelay({ database, publish, idleMs: 20 }), new OutboxRelay({ database, publish, idleMs: 20 })];
  for (const relay of relays) relay.start();
  await database.transaction((tx) =>
    appendOutbox(
      tx,
      ['1', '2', '3'].map((text) => ({ subject: 's', msgId: text, body: Buffer.from(text) })),
    ),
  );
  for (const relay of relays) relay.kick();
  await waitFor(() => published.length >= 3);
  expect(relays.filter((relay) => relay.leading)).toHaveLength(1);
  await Promise.all(relays.map((relay) => relay.stop()));
  expect(published).toEqual(['1', '2', '3']);
});

test('a directory that is in use is refused by name; the claim and the half-made directory of a process that is gone are taken over', async () => {
  const other = path.join(folder, 'other');
  const halfMade = `${other}.draft-killed`;
  mkdirSync(path.join(halfMade, 'base'), { recursive: true });
  const claim = `${other}.lock`;
  await expect(createDatabase(`pglite:${path.join(folder, 'data')}`, { schema: 'memory', applicationName: 'spec' })).rejects.toThrow(
    new RegExp(`in use by process ${process.pid}`),
  );
  writeFileSync(claim, '999999999 1');
  const taken = await createDatabase(`pglite:${other}`, { schema: 'memory', applicationName: 'spec' });
  await taken.ping();
  await taken.close();
  expect([existsSync(claim), existsSync(halfMade), existsSync(path.join(other, 'PG_VERSION'))]).toEqual([false, false, true]);
  await expect(taken.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a claim of an earlier version counts as long as its process lives, and one that was cut short does not', () => {
  const claim = path.join(folder, 'earlier.lock');
  const take = () => lockDirectory(path.join(folder, 'earlier'));
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  writeFileSync(claim, `${process.pid} ${ticks}`);
  expect(take).toThrow(`in use by process ${process.pid}`);
  writeFileSync(claim, '');
  const giveBack = take();
  expect(take).toThrow(`in use by process ${process.pid}`);
  giveBack();
  expect(existsSync(claim)).toBe(false);
});

test('a dump starts a second database with the same content', async () => {
  const copy = await openPglite('memory://', { schema: 'memory', loadDataDir: await database.dump() });
  try {
    expect(await copy.query('ids', 'SELECT id FROM notes')).toEqual([{ id: 1 }]);
  } finally {
    await copy.close();
  }
});
