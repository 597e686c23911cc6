import { estimateTokens, windowFor } from '@plexus/context-window';
import { FakeClock } from '@plexus/kernel';
import fc from 'fast-check';
import { documentTerms } from '../domain/tokeniser.js';
import { FlushSessions } from './flush-sessions.js';
import { type GivenMessage, KeepSessions } from './keep-sessions.js';
import type { KeptMessage, NewMessage, SessionIdentity, SessionRecord, SessionStore, SessionSummariser } from './session-ports.js';
import type { WriteRequest } from './write-memory.js';

const me = { tenant: 't', user: 'me', privileged: false, credential: 'test' };
const session = { sessionId: 's', sessionKey: 'agent:main:main' };

class Crash extends Error {}

/** A database in memory that may crash before or after any of its transactions, and that keeps the invariant as Postgres does. */
class FakeStore implements SessionStore {
  record: SessionRecord | undefined;
  readonly kept: KeptMessage[] = [];
  readonly flushes: { from: number; to: number; done: boolean }[] = [];
  readonly memories = new Map<string, WriteRequest>();
  readonly forgotten: string[] = [];
  crashes: (() => boolean) | undefined;
  /** Lets another one go on between two transactions. */
  pause: <T>(step: () => T) => Promise<T> = async (step) => step();

  async #transaction<T>(step: () => T): Promise<T> {
    return this.pause(() => {
      if (this.crashes?.()) throw new Crash('before');
      const result = step();
      const { record } = this;
      if (record !== undefined && !(0 <= record.compactedUpto && record.compactedUpto <= record.flushedUpto && record.flushedUpto <= record.lastSeq)) {
        throw new Error('session_mark_order_check');
      }
      if (this.crashes?.()) throw new Crash('after');
      return result;
    });
  }

  append(_tenant: string, identity: SessionIdentity, messages: readonly NewMessage[]) {
    return this.#transaction(() => {
      this.record ??= { ...identity, lastSeq: 0, flushedUpto: 0, compactedUpto: 0, compactions: 0, flushedCycle: null };
      const fresh = messages.filter(({ messageId }) => !this.kept.some((one) => one.messageId === messageId));
      for (const one of fresh) this.kept.push({ ...one, seq: this.kept.length + 1 });
      this.record = { ...this.record, lastSeq: this.kept.length };
      return { result: 'appended' as const, appended: fresh.length, duplicates: messages.length - fresh.length, record: this.record };
    });
  }
  read() {
    return this.#transaction(() => this.record);
  }
  messages(_tenant: string, _session: string, after: number, limit: number) {
    return this.#transaction(() => this.kept.slice(after, after + limit));
  }
  load(_tenant: string, _session: string, after: number) {
    return this.#transaction(() => {
      const rest = this.kept.slice(after);
      return { tokens: rest.reduce((sum, { tokens }) => sum + tokens, 0), bytes: rest.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) };
    });
  }
  beginFlush(_tenant: string, _session: string, upto: number) {
    return this.#transaction(() => {
      const { record } = this;
      if (record === undefined) return undefined;
      const open = this.flushes.find(({ done }) => !done);
      if (open !== undefined) return { from: open.from, to: open.to };
      const range = { from: record.flushedUpto + 1, to: Math.min(upto, record.lastSeq) };
      if (range.to < range.from) return undefined;
      this.flushes.push({ ...range, done: false });
      return range;
    });
  }
  endFlush(_tenant: string, _session: string, range: { from: number; to: number }) {
    return this.#transaction(() => {
      const { record } = this;
      const flush = this.flushes.find(({ from, done }) => from === range.from && !done);
      if (record === undefined) return undefined;
      if (flush === undefined) return { ended: false, record };
      flush.done = true;
      this.record = { ...record, flushedUpto: Math.max(record.flushedUpto, range.to), flushedCycle: record.compactions };
      return { ended: true, record: this.record };
    });
  }
  compact(_tenant: string, _session: string, upto: number, summary: string) {
    return this.#transaction(() => {
      const { record } = this;
      if (record === undefined || record.compactedUpto >= upto) return undefined;
      this.record = { ...record, compactedUpto: upto, compactions: record.compactions + 1, summary };
      return this.record;
    });
  }
  async forget() {
    const gone = this.kept.length;
    this.record = undefined;
    return gone;
  }
  /** Memories by their key: the same key with another body is what must never be. */
  async execute(_caller: unknown, request: WriteRequest, key?: string) {
    return this.#transaction(() => {
      const before = this.memories.get(key as string);
      if (before !== undefined && JSON.stringify(before) !== JSON.stringify(request)) throw new Error('CONFLICT');
      this.memories.set(key as string, request);
      return { id: key as string, result: before === undefined ? ('created' as const) : ('replayed' as const), embedding: 'none' as const };
    });
  }

  episodes(): string[] {
    return [...this.memories.values()].filter(({ kind }) => kind === 'episode').map(({ content }) => content);
  }
}

function keeping(store: FakeStore, options: { tokens?: number; summariser?: SessionSummariser; problems?: unknown[] } = {}) {
  const clock = new FakeClock(0);
  const writer = {
    forget: async (_tenant: string, id: string) => {
      store.forgotten.push(id);
      return true;
    },
  };
  const flushing = new FlushSessions(store, store, writer, clock, (error) => options.problems?.push(error), options.summariser);
  return new KeepSessions(store, flushing, clock, windowFor({ configuredTokens: options.tokens ?? 128_000 }));
}

/** About `tokens` tokens, with words that no other message has. */
const textOf = (n: number, tokens: number) => Array.from({ length: Math.ceil(tokens / 2) }, (_, word) => `w${n}x${word % 9}`).join(' ');
const given = (n: number, text: string, rest: Partial<GivenMessage> = {}): GivenMessage => ({
  messageId: `m${n}`,
  role: n % 2 ? 'user' : 'assistant',
  text,
  ...rest,
});

describe('flush and compaction (27)', () => {
  it('window 128 k: nothing before 104,000 tokens, a flush there, a compaction at 108,000', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    const seen: [string, number][] = [];
    for (let n = 1; store.record?.compactions !== 1; n += 1) {
      const { steps } = await sessions.append(me, session, [given(n, textOf(n, 800))]);
      const tokens = store.kept.reduce((sum, one) => sum + one.tokens, 0);
      for (const step of steps) seen.push([step, tokens]);
    }
    expect(seen.map(([step]) => step)).toEqual(['flush', 'compact']);
    const largest = Math.max(...store.kept.map(({ tokens }) => tokens));
    for (const [[, at], threshold] of [
      [seen[0] as [string, number], 104_000],
      [seen[1] as [string, number], 108_000],
    ] as const) {
      expect(at).toBeGreaterThanOrEqual(threshold);
      expect(at - largest).toBeLessThan(threshold);
    }
    expect(store.record?.compactedUpto).toBeLessThanOrEqual(store.record?.flushedUpto ?? 0);
  });

  it('ten cycles are ten flushes, and every dropped message is in an episode with all its words', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    for (let n = 1; (store.record?.compactions ?? 0) < 10; n += 1) await sessions.append(me, session, [given(n, textOf(n, 3_000))]);
    expect(store.flushes).toHaveLength(10);
    const terms = new Set(store.episodes().flatMap((content) => documentTerms(content)));
    for (const { seq, text } of store.kept.slice(0, store.record?.compactedUpto))
      expect([seq, documentTerms(text).filter((term) => !terms.has(term))]).toEqual([seq, []]);
    for (const content of store.episodes()) expect(estimateTokens(content)).toBeLessThanOrEqual(400);
  });

  it('one message of 60,000 tokens at 80,000 is flushed before anything is dropped', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    for (let n = 1; n <= 8; n += 1) await sessions.append(me, session, [given(n, 'x'.repeat(40_000))]);
    const { steps } = await sessions.append(me, session, [given(9, 'y'.repeat(240_000))]);
    expect(steps).toEqual(['flush', 'compact']);
    expect(store.flushes).toEqual([{ from: 1, to: 9, done: true }]);
  });

  it('a compaction by hand goes the same way: what it drops is flushed first, with its summary as a memory', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    for (let n = 1; n <= 6; n += 1) await sessions.append(me, session, [given(n, `remember ${n}`)]);
    const done = await sessions.compact(me, 's', undefined, { upto: 4, summary: 'Four things were said.' });
    expect(done).toMatchObject({
      flushed: { from: 1, to: 4 },
      compacted: { from: 1, to: 4 },
      record: { flushedUpto: 4, compactedUpto: 4, summary: 'Four things were said.' },
    });
    expect([...store.memories.values()].find(({ kind }) => kind === 'summary')).toMatchObject({
      content: 'Four things were said.',
      from: { session: 's', from: 1, to: 4 },
    });
    await expect(sessions.compact(me, 's', undefined, { upto: 4 })).resolves.toEqual({ record: store.record });
    await expect(sessions.messages(me, 's', undefined, { limit: 10 })).resolves.toMatchObject({ messages: [{ seq: 5 }, { seq: 6 }], more: false });
    await expect(sessions.messages(me, 's', undefined, { after: 0, limit: 4 })).resolves.toMatchObject({ messages: { length: 4 }, more: true });
  });

  it('a call and its result leave together, and one that waits for its result stays', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    await sessions.append(me, session, [
      given(1, 'go'),
      given(2, 'looking', { toolCalls: [{ id: 'a', name: 'look' }] }),
      given(3, 'found', { role: 'tool', toolCallId: 'a' }),
      given(4, 'again', { role: 'assistant', toolCalls: [{ id: 'b', name: 'look' }] }),
    ]);
    await expect(sessions.compact(me, 's', undefined, { upto: 2 })).resolves.toMatchObject({ record: { flushedUpto: 1, compactedUpto: 1 } });
    await expect(sessions.flush(me, 's', undefined)).resolves.toMatchObject({ range: { from: 2, to: 3 } });
    await expect(sessions.compact(me, 's', undefined, { upto: 4 })).resolves.toMatchObject({ record: { flushedUpto: 3, compactedUpto: 3 } });
  });

  it('a model adds facts and a summary; when it fails the episodes are there', async () => {
    const problems: unknown[] = [];
    let failing = false;
    const summariser: SessionSummariser = {
      summarise: async (messages) => {
        if (failing) throw new Error('no model today');
        return { facts: [`There were ${messages.length}.`], summary: 'Short.' };
      },
    };
    const store = new FakeStore();
    const sessions = keeping(store, { summariser, problems });
    await sessions.append(me, session, [given(1, 'one'), given(2, 'two')]);
    await sessions.flush(me, 's', undefined);
    expect([...store.memories.values()].map(({ kind, content }) => [kind, content])).toEqual([
      ['episode', 'user: one\nassistant: two'],
      ['fact', 'There were 2.'],
      ['summary', 'Short.'],
    ]);
    failing = true;
    await sessions.append(me, session, [given(3, 'three')]);
    await expect(sessions.flush(me, 's', undefined)).resolves.toMatchObject({ range: { from: 3, to: 3 }, episodes: 1 });
    expect(problems).toEqual([new Error('no model today')]);
    expect(store.episodes()).toContain('user: three');
  });

  it('a session that is erased while it is flushed takes its episodes along', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    await sessions.append(me, session, [given(1, 'one')]);
    const write = store.execute.bind(store);
    store.execute = async (...parameters) => {
      const written = await write(...parameters);
      await store.forget();
      return written;
    };
    await expect(sessions.flush(me, 's', undefined)).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(store.forgotten).toEqual([...store.memories.keys()]);
  });

  it('somebody else’s session does not exist', async () => {
    const store = new FakeStore();
    const sessions = keeping(store);
    await sessions.append(me, session, [given(1, 'one')]);
    const you = { ...me, user: 'you' };
    await expect(sessions.messages(you, 's', undefined, { limit: 1 })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await expect(sessions.flush(you, 's', 'me')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(sessions.compact({ ...you, privileged: true }, 's', 'me', {})).resolves.toMatchObject({ record: { owner: 'me' } });
  });
});

type Step =
  | { readonly kind: 'append'; readonly tokens: number; readonly tool: boolean }
  | { readonly kind: 'flush' | 'compact'; readonly upto: number | undefined };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), tokens: fc.integer({ min: 1, max: 6_000 }), tool: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'compact' as const), upto: fc.option(fc.nat(40), { nil: undefined }) }) },
);

function run(sessions: KeepSessions, one: Step, n: number): Promise<unknown> {
  if (one.kind === 'append') {
    const call = given(n, textOf(n, one.tokens), one.tool ? { role: 'assistant', toolCalls: [{ id: `c${n}`, name: 'look' }] } : {});
    return sessions.append(me, session, one.tool ? [call, { messageId: `r${n}`, role: 'tool', text: `result ${n}`, toolCallId: `c${n}` }] : [call]);
  }
  const upto = one.upto === undefined ? {} : { upto: one.upto };
  return one.kind === 'flush' ? sessions.flush(me, 's', undefined, one.upto) : sessions.compact(me, 's', undefined, upto);
}

/** What holds after every transaction, and at the end: P13, and nothing is dropped that is not found. */
function expectKept(store: FakeStore): void {
  const record = store.record as SessionRecord;
  expect(record.compactedUpto).toBeLessThanOrEqual(record.flushedUpto);
  const all = store.episodes().join('\n');
  for (const { text } of store.kept.slice(0, record.compactedUpto)) for (const word of new Set(text.split(' '))) expect(all).toContain(word);
  const dropped = new Set(store.kept.slice(0, record.compactedUpto).flatMap(({ toolCalls }) => (toolCalls ?? []).map(({ id }) => id)));
  for (const { seq, toolCallId } of store.kept) if (toolCallId !== undefined && dropped.has(toolCallId)) expect(seq).toBeLessThanOrEqual(record.compactedUpto);
  const done = store.flushes.filter((one) => one.done);
  expect(done.map(({ from }) => from)).toEqual([1, ...done.slice(0, -1).map(({ to }) => to + 1)].slice(0, done.length));
}

describe('compacted_upto ≤ flushed_upto, always (P13)', () => {
  it('whatever is done in whatever order, with crashes between any two transactions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }),
        async (steps, crashes) => {
          const store = new FakeStore();
          await keeping(store, { tokens: 24_000 }).append(me, session, [given(0, 'hello')]);
          let calls = 0;
          const left = [...crashes];
          store.crashes = () => {
            calls += 1;
            if (left.length === 0 || calls <= (left[0] as number)) return false;
            left.shift();
            calls = 0;
            return true;
          };
          for (const [index, one] of steps.entries()) {
            // A new process each time: nothing is remembered but the store. Whoever called tries again.
            for (let attempt = 0; ; attempt += 1) {
              try {
                await run(keeping(store, { tokens: 24_000 }), one, index + 1);
                break;
              } catch (error) {
                if (!(error instanceof Crash) || attempt > 100) throw error;
              }
            }
            expectKept(store);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('whatever several do at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { minLength: 2, maxLength: 6 }), async (scheduler, steps) => {
        const store = new FakeStore();
        const sessions = keeping(store, { tokens: 24_000 });
        for (let n = 1; n <= 4; n += 1) await sessions.append(me, session, [given(n, textOf(n, 1_500))]);
        store.pause = <T>(transaction: () => T): Promise<T> => scheduler.schedule(Promise.resolve()).then(transaction);
        const all = Promise.all(steps.map((one, index) => run(keeping(store, { tokens: 24_000 }), one, 100 + index)));
        await scheduler.waitFor(all);
        expectKept(store);
      }),
      { numRuns: 40 },
    );
  });
});
