import { PlexusError } from '@plexus/kernel';
import { startTestPostgres, type TestPostgres, waitFor } from '@plexus/testing';
import { createPool, errorCodeOf, isUniqueViolation, type PostgresDatabase } from '../src/index.js';

let server: TestPostgres;
const open: PostgresDatabase[] = [];

function pool(
  options: { max?: number; maxWaiting?: number; statementTimeoutMs?: number; url?: string; connectTimeoutMs?: number; pipelined?: boolean } = {},
): PostgresDatabase {
  const database = createPool({ url: server.url(), schema: 'app', applicationName: 'spec', ...options });
  open.push(database);
  return database;
}

/** A promise that somebody else resolves. */
function gate(): { promise: Promise<void>; resolve: () => void } {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, resolve: () => open() };
}

async function failureOf(work: Promise<unknown>): Promise<PlexusError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!PlexusError.isPlexusError(error)) throw new Error(`expected a PlexusError, got ${String(error)}`);
  return error;
}

beforeAll(async () => {
  server = await startTestPostgres({ fsync: false });
  await pool().script('CREATE SCHEMA app; CREATE TABLE app.counters (id int PRIMARY KEY, value int8 NOT NULL)');
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()));
});
afterAll(() => server.stop());

describe.each([{ pipelined: true }, { pipelined: false }])('a batch, $pipelined', (options) => {
  const put = (name: string, id: number) => ({ name: `batch_${name}`, text: 'INSERT INTO counters VALUES ($1, 1) RETURNING id', params: [id] });
  const from = options.pipelined ? 5_000 : 6_000;

  test('is one transaction: the rows of each statement, or nothing of any', async () => {
    const database = pool({ max: 1, ...options });
    const all = () => database.query('batch_all', 'SELECT id FROM counters WHERE id BETWEEN $1 AND $1 + 99 ORDER BY id', [from]);
    expect(await database.batch([put('a', from), put('b', from + 1)])).toEqual([[{ id: from }], [{ id: from + 1 }]]);
    const failure = await database.batch([put('a', from + 2), put('b', from + 1), put('c', from + 3)]).catch((error: unknown) => error);
    expect(isUniqueViolation(failure)).toBe(true);
    await expect(database.batch([put('a', from + 4)], { readOnly: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // The one connection is as good as before.
    expect(await all()).toEqual([{ id: from }, { id: from + 1 }]);
    await database.query('batch_tidy', 'DELETE FROM counters WHERE id >= $1', [from]);
  });

  test('side by side with others, each gets its own answers', async () => {
    const database = pool({ max: 3, ...options });
    const echo = (n: number) => database.batch([1, 2, 3].map((part) => ({ name: `batch_echo_${part}`, text: 'SELECT $1::int AS n', params: [n * 10 + part] })));
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => echo(n)));
    expect(answers).toEqual(Array.from({ length: 30 }, (_, n) => [1, 2, 3].map((part) => [{ n: n * 10 + part }])));
  });
});

describe('statements', () => {
  test('resolve names in the schema of the pool and return plain values', async () => {
    const database = pool();
    await database.query('seed', 'INSERT INTO counters VALUES (1, 41), (2, 9007199254740993) ON CONFLICT DO NOTHING');
    const rows = await database.query('read', 'SELECT id, value, $1::jsonb AS json, now() AS at FROM counters ORDER BY id', [JSON.stringify({ a: [1] })]);
    expect(rows).toEqual([
      { id: 1, value: 41, json: { a: [1] }, at: expect.any(Date) },
      { id: 2, value: 9007199254740993n, json: { a: [1] }, at: expect.any(Date) },
    ]);
  });

  test('are prepared once per connection under their name', async () => {
    const database = pool({ max: 1 });
    for (let round = 0; round < 3; round += 1) await database.query('prepared_once', 'SELECT $1::int AS n', [round]);
    const rows = await database.query<{ n: number }>('count', "SELECT count(*)::int AS n FROM pg_prepared_statements WHERE name = 'prepared_once'");
    expect(rows).toEqual([{ n: 1 }]);
  });

  test('that fail keep their SQLSTATE and do not cost the connection', async () => {
    const database = pool({ max: 1 });
    const pid = async () => (await database.query<{ pid: number }>('pid', 'SELECT pg_backend_pid() AS pid'))[0]?.pid;
    const before = await pid();
    const error = await database.query('dup', 'INSERT INTO counters VALUES (7, 1), (7, 2)').catch((thrown: unknown) => thrown);
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, 'counters_pkey')).toBe(true);
    expect(isUniqueViolation(error, 'something_else')).toBe(false);
    expect(await pid()).toBe(before);
  });

  test('that run too long are cancelled by the server and answered as TIMEOUT', async () => {
    const database = pool({ statementTimeoutMs: 100 });
    const error = await failureOf(database.query('sleepy', 'SELECT pg_sleep(5)'));
    expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true });
  });

  test('are refused as UNAVAILABLE when too many callers wait for a connection', async () => {
    const database = pool({ max: 1, maxWaiting: 2 });
    const { promise: held, resolve: letGo } = gate();
    const holding = database.transaction(() => held);
    const waiting = [1, 2].map(() => database.query('wait', 'SELECT 1'));
    await waitFor(() => database.pool.waitingCount === 2, { what: 'two callers to wait' });
    expect(await failureOf(database.query('one', 'SELECT 1'))).toMatchObject({ code: 'UNAVAILABLE' });
    letGo();
    await Promise.all([holding, ...waiting]);
  });
});

describe('a server that cannot be used', () => {
  test('is UNAVAILABLE and retryable when nothing listens', async () => {
    const error = await failureOf(pool({ url: 'postgresql://postgres@127.0.0.1:1/postgres' }).ping());
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, status: 503 });
    expect(error.message).not.toContain('127.0.0.1');
  });

  test('is UNAVAILABLE when it has too many connections', async () => {
    const admin = pool();
    await admin.script("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1 PASSWORD 'narrow'; GRANT USAGE ON SCHEMA app TO narrow");
    const url = server
      .url()
      .replace('postgres@', 'narrow:narrow@')
      .replace(/postgres:[^@]*@/, 'narrow:narrow@');
    const first = pool({ url });
    await first.ping();
    const error = await failureOf(pool({ url }).ping());
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(errorCodeOf(error)).toBe('53300');
  });

  test('is UNAVAILABLE after close', async () => {
    const database = pool();
    await database.close();
    expect(await failureOf(database.ping())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await failureOf(database.openSession())).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('transactions', () => {
  test('roll back when the function throws, and pass its error on', async () => {
    const database = pool();
    await expect(
      database.transaction(async (tx) => {
        await tx.query('put', 'INSERT INTO counters VALUES (100, 1)');
        throw new RangeError('no');
      }),
    ).rejects.toThrow(RangeError);
    expect(await database.query('gone', 'SELECT 1 FROM counters WHERE id = 100')).toEqual([]);
  });

  test('that deadlock run again until both have happened', async () => {
    const database = pool();
    await database.query('two', 'INSERT INTO counters VALUES (201, 0), (202, 0)');
    const both = gate();
    let waiting = 0;
    let runs = 0;
    const add = (first: number, second: number) =>
      database.transaction(async (tx) => {
        runs += 1;
        await tx.query('add', 'UPDATE counters SET value = value + 1 WHERE id = $1', [first]);
        waiting += 1;
        if (waiting === 2) both.resolve();
        await both.promise;
        await tx.query('add', 'UPDATE counters SET value = value + 1 WHERE id = $1', [second]);
      });
    await Promise.all([add(201, 202), add(202, 201)]);
    expect(await database.query('sum', 'SELECT value FROM counters WHERE id IN (201, 202)')).toEqual([{ value: 2 }, { value: 2 }]);
    expect(runs).toBe(3);
  });

  test('that always conflict end as UNAVAILABLE after four runs', async () => {
    let runs = 0;
    const conflict = pool().transaction(async (tx) => {
      runs += 1;
      await tx.script("DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END $$");
    });
    expect(await failureOf(conflict)).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(runs).toBe(4);
  });

  test('refuse a statement that was not awaited inside them', async () => {
    let late: (() => Promise<unknown>) | undefined;
    await pool().transaction(async (tx) => {
      late = () => tx.query('late', 'SELECT 1');
    });
    await expect(late?.()).rejects.toThrow('has ended');
  });

  test('of serializable isolation see a consistent state', async () => {
    const rows = await pool().transaction((tx) => tx.query('isolation', "SELECT current_setting('transaction_isolation') AS level"), {
      isolation: 'serializable',
      readOnly: true,
    });
    expect(rows).toEqual([{ level: 'serializable' }]);
  });
});

test('a pool survives kill -9 and restart of the server: idle, busy and mid-transaction connections', async () => {
  const database = pool({ max: 4 });
  await Promise.all([1, 2, 3].map(() => database.query('warm', 'SELECT pg_sleep(0.02)')));
  const session = await database.openSession();
  const insideTransaction = gate();
  const killed = gate();
  const transaction = failureOf(
    database.transaction(async (tx) => {
      await tx.query('lost', 'INSERT INTO counters VALUES (300, 1)');
      insideTransaction.resolve();
      await killed.promise;
      await tx.query('lost2', 'INSERT INTO counters VALUES (301, 1)');
    }),
  );
  await insideTransaction.promise;
  const busy = failureOf(database.query('busy', 'SELECT pg_sleep(30)'));
  await server.kill('SIGKILL');
  killed.resolve();
  expect(await busy).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await transaction).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await failureOf(database.ping())).toMatchObject({ code: 'UNAVAILABLE' });
  await waitFor(() => session.lost.aborted, { what: 'the session to notice' });
  await session.close();
  await server.restart();
  await waitFor(() => database.ping().then(() => true), { what: 'the pool to reach the restarted server' });
  expect(await database.query('after', 'SELECT id FROM counters WHERE id IN (300, 301)')).toEqual([]);
});
