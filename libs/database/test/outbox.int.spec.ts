import { appendOutbox, createPool, OUTBOX_DDL, OutboxRelay, type PostgresDatabase, type PublishRaw } from '../src/index.js';
import { createTestDatabase, startTestPostgres, type TestDatabase, waitFor } from '@plexus/testing';
import fc from 'fast-check';

/** A stream as the relay sees it: stores in order of arrival, drops a message id it knows, and fails when told to. */
class FakeStream {
  readonly stored: { subject: string; text: string; msgId: string }[] = [];
  readonly #known = new Set<string>();
  attempts = 0;
  inFlight = 0;
  mostInFlight = 0;
  fail: (subject: string, attempt: number) => 'before' | 'after' | undefined = () => undefined;

  readonly publish: PublishRaw = async (subject, body, { msgId }) => {
    this.attempts += 1;
    const failure = this.fail(subject, this.attempts);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight -= 1;
    if (failure === 'before') throw new Error('not stored');
    if (!this.#known.has(msgId)) this.stored.push({ subject, text: Buffer.from(body).toString(), msgId });
    this.#known.add(msgId);
    if (failure === 'after') throw new Error('stored, but the ack was lost');
  };

  of(subject: string): string[] {
    return this.stored.filter((message) => message.subject === subject).map((message) => message.text);
  }
}

let target: TestDatabase;
let database: PostgresDatabase;
const relays: OutboxRelay[] = [];

const message = (subject: string, text: string, msgId = `${subject}:${text}`) => ({ subject, msgId, headers: { 'x-test': 'ä' }, body: Buffer.from(text) });
const append = (...messages: ReturnType<typeof message>[]) => database.transaction((tx) => appendOutbox(tx, messages));
const pending = async () => (await database.query<{ n: number }>('pending', 'SELECT count(*) AS n FROM outbox WHERE published_at IS NULL'))[0]?.n;

function relay(publish: PublishRaw, options: { on?: PostgresDatabase; idleMs?: number; retainMs?: number; batch?: number } = {}): OutboxRelay {
  const { on = database, ...rest } = options;
  const started = new OutboxRelay({ database: on, publish, idleMs: 20, ...rest });
  started.start();
  relays.push(started);
  return started;
}

beforeEach(async () => {
  target = await createTestDatabase();
  database = createPool({ url: target.url, schema: 'app', applicationName: 'spec' });
  await database.script('CREATE SCHEMA app');
  await database.script(OUTBOX_DDL);
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((running) => running.stop()));
  await database.close();
  await target.drop();
});

test('what a rolled-back transaction wrote is never published, what a committed one wrote is, with headers and bytes intact', async () => {
  const stream = new FakeStream();
  let headers: Record<string, string> | undefined;
  relay((subject, body, options) => {
    headers = options.headers;
    return stream.publish(subject, body, options);
  });
  await database
    .transaction(async (tx) => {
      await appendOutbox(tx, [message('a', 'never')]);
      throw new Error('undo');
    })
    .catch(() => undefined);
  await append(message('a', 'ö\u0000ü', 'm1'));
  await waitFor(async () => (await pending()) === 0 && stream.stored.length > 0);
  expect(stream.stored).toEqual([{ subject: 'a', text: 'ö\u0000ü', msgId: 'm1' }]);
  expect(headers).toEqual({ 'x-test': 'ä' });
});

test('a message id that is already there is left alone', async () => {
  const stream = new FakeStream();
  await append(message('a', 'one', 'same'), message('b', 'two', 'other'));
  await append(message('a', 'repeated', 'same'));
  relay(stream.publish);
  await waitFor(async () => (await pending()) === 0);
  expect(stream.stored.map((stored) => stored.text).sort()).toEqual(['one', 'two']);
});

test('at least 64 messages are in flight at once', async () => {
  const stream = new FakeStream();
  await append(...Array.from({ length: 300 }, (_, index) => message(`s${index}`, 'x')));
  relay(stream.publish);
  await waitFor(async () => (await pending()) === 0);
  expect(stream.mostInFlight).toBeGreaterThanOrEqual(64);
  expect(stream.stored).toHaveLength(300);
});

test('whatever fails, before or after the message was stored: every message arrives once, in order per subject', async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.constantFrom(undefined, undefined, 'before' as const, 'after' as const), { maxLength: 30 }),
      fc.integer({ min: 1, max: 20 }),
      async (subjects, failures, batch) => {
        round += 1;
        const stream = new FakeStream();
        stream.fail = (_subject, attempt) => failures[attempt - 1];
        const messages = subjects.map((subject, index) => message(`r${round}s${subject}`, String(index)));
        await append(...messages);
        const running = relay(stream.publish, { batch });
        await waitFor(async () => (await pending()) === 0, { timeoutMs: 60_000, what: 'the outbox to be empty' });
        await running.stop();
        for (const subject of new Set(messages.map((each) => each.subject))) {
          expect(stream.of(subject)).toEqual(messages.filter((each) => each.subject === subject).map((each) => each.body.toString()));
        }
      },
    ),
    { numRuns: 12 },
  );
});

test('a message that can never be published holds up its own subject only', async () => {
  const stream = new FakeStream();
  stream.fail = (subject) => (subject === 'poison' ? 'before' : undefined);
  await append(message('poison', '1'), message('poison', '2'));
  const running = relay(stream.publish, { batch: 2 });
  for (let index = 0; index < 20; index += 1) {
    await append(message('fine', String(index)));
    running.kick();
  }
  await waitFor(() => stream.of('fine').length === 20);
  expect(stream.of('fine')).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  expect(stream.of('poison')).toEqual([]);
  stream.fail = () => undefined;
  await waitFor(async () => (await pending()) === 0);
  expect(stream.of('poison')).toEqual(['1', '2']);
});

test('one relay works at a time; when its connection dies another takes over and nothing is lost or doubled', async () => {
  const stream = new FakeStream();
  const other = createPool({ url: target.url, schema: 'app', applicationName: 'spec-other' });
  try {
    const both = [relay(stream.publish), relay(stream.publish, { on: other })];
    const leader = () => both.filter((each) => each.leading);
    await waitFor(() => leader().length === 1);
    for (let index = 0; index < 60; index += 1) {
      await append(message('a', String(index)));
      for (const each of both) each.kick();
      if (index % 20 === 10) {
        await database.query('kill', "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()");
      }
      // Whoever lost the lock hears of it a moment after the other one may have taken it.
      await waitFor(() => leader().length <= 1);
    }
    await waitFor(async () => (await pending()) === 0);
    expect(stream.of('a')).toEqual(Array.from({ length: 60 }, (_, index) => String(index)));
  } finally {
    await Promise.all(relays.splice(0).map((each) => each.stop()));
    await other.close();
  }
});

test('a kick on a replica that does not lead wakes the one that does', async () => {
  const stream = new FakeStream();
  const leading = relay(stream.publish, { idleMs: 60_000 });
  await waitFor(() => leading.leading);
  const waiting = relay(stream.publish, { idleMs: 60_000 });
  await append(message('a', '1'));
  waiting.kick();
  await waitFor(() => stream.stored.length === 1, { timeoutMs: 60_000 });
});

test('published rows are pruned after their retention', async () => {
  const stream = new FakeStream();
  await append(message('a', '1'), message('a', '2'));
  const first = relay(stream.publish);
  await waitFor(async () => (await pending()) === 0);
  await first.stop();
  relay(stream.publish, { retainMs: 0 });
  await waitFor(async () => (await database.query('left', 'SELECT 1 FROM outbox')).length === 0);
});

test('kill -9 and restart of Postgres in the middle: the relay comes back by itself and loses nothing', async () => {
  const server = await startTestPostgres();
  const own = createPool({ url: server.url(), schema: 'app', applicationName: 'spec' });
  const stream = new FakeStream();
  const running = new OutboxRelay({ database: own, publish: stream.publish, idleMs: 20 });
  try {
    await own.script('CREATE SCHEMA app');
    await own.script(OUTBOX_DDL);
    running.start();
    const acknowledged: string[] = [];
    const write = async (text: string) => {
      await own.transaction((tx) => appendOutbox(tx, [message('a', text)]));
      acknowledged.push(text);
    };
    for (let index = 0; index < 20; index += 1) await write(`before-${index}`);
    await server.kill('SIGKILL');
    await expect(write('while-down')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await server.restart();
    await waitFor(() => own.ping().then(() => true), { what: 'the restarted server' });
    for (let index = 0; index < 20; index += 1) await write(`after-${index}`);
    await waitFor(() => stream.stored.length === acknowledged.length, { what: 'every acknowledged message' });
    expect(stream.of('a')).toEqual(acknowledged);
  } finally {
    await running.stop();
    await own.close();
    await server.stop();
  }
});
