import type { Database } from '@plexus/database';
import fc from 'fast-check';
import type { Caller } from '../src/domain/access.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';

/** What the model knows of one memory that was acknowledged. */
interface Known {
  readonly content: string;
  readonly kind: 'note' | 'fact';
  readonly metadata: { readonly tag: string };
  readonly createdAt: number;
  expiresAt?: number;
  deleted?: boolean;
  supersededBy?: string;
  copies: number;
}

/** A sample in the fast tier. */
const RUNS = process.env.PLEXUS_TIER === 'full' ? 40 : 4;

const word = fc.constantFrom('router', 'backup', '数据库', 'cellar', 'coffee');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      words: fc.array(word, { minLength: 1, maxLength: 3 }),
      fact: fc.boolean(),
      tag: fc.constantFrom('a', 'b'),
      ttl: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
      redeliver: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('update' as const), pick: fc.nat(), words: fc.array(word, { minLength: 1, maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('carry' as const) }) },
);

describe.each(BACKENDS)('whatever happens to memories, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());

  /** Carries out random steps beside a model of them. */
  class History {
    readonly known = new Map<string, Known>();
    private writes = 0;
    constructor(private readonly me: Caller) {}

    visible(): string[] {
      const now = memory.clock.now();
      return [...this.known]
        .filter(([, one]) => !one.deleted && one.supersededBy === undefined && (one.expiresAt === undefined || one.expiresAt > now))
        .map(([id]) => id);
    }

    async take(one: Awaited<ReturnType<typeof fc.sample<typeof step extends fc.Arbitrary<infer T> ? T : never>>>[number]): Promise<void> {
      const alive = this.visible();
      const picked = 'pick' in one && alive.length > 0 ? (alive[one.pick % alive.length] as string) : undefined;
      if (one.do === 'write') await this.write(one);
      if (one.do === 'update' && picked !== undefined) await this.update(picked, one.words.join(' '));
      if (one.do === 'delete' && picked !== undefined) {
        expect(await memory.read.delete(this.me, picked)).toBe(true);
        (this.known.get(picked) as Known).deleted = true;
      }
      if (one.do === 'wait') await memory.clock.advance(one.seconds * 1_000);
      if (one.do === 'sweep') await memory.sweep.execute();
      if (one.do === 'carry') await this.carry();
    }

    private async write({ words, fact, tag, ttl, redeliver }: { words: string[]; fact: boolean; tag: string; ttl?: number | undefined; redeliver: boolean }) {
      this.writes += 1;
      const now = memory.clock.now();
      const kind = fact ? 'fact' : 'note';
      const request = note(words.join(' '), {
        kind,
        metadata: { tag },
        ...(ttl === undefined ? {} : { expiresAt: new Date(now + ttl * 1_000).toISOString() }),
      });
      const key = `key-${this.writes}`;
      const { id, result } = await memory.write.execute(this.me, request, key);
      if (redeliver) await expect(memory.write.execute(this.me, request, key)).resolves.toMatchObject({ id, result: 'replayed' });
      const before = this.known.get(id);
      expect([result, before === undefined]).toEqual([result, result === 'created']);
      if (before === undefined)
        this.known.set(id, {
          content: request.content,
          kind,
          metadata: { tag },
          createdAt: now,
          copies: 1,
          ...(ttl === undefined ? {} : { expiresAt: now + ttl * 1_000 }),
        });
      else this.merge(id, before, tag, ttl === undefined ? undefined : now + ttl * 1_000);
    }

    private merge(id: string, before: Known, tag: string, expiresAt: number | undefined) {
      const { expiresAt: old, ...rest } = before;
      const later = old === undefined || expiresAt === undefined ? undefined : Math.max(old, expiresAt);
      this.known.set(id, { ...rest, metadata: { tag }, copies: before.copies + 1, ...(later === undefined ? {} : { expiresAt: later }) });
    }

    private async update(id: string, content: string) {
      const old = this.known.get(id) as Known;
      const { id: next, result } = await memory.write.update(this.me, id, { content });
      old.supersededBy = next;
      const there = this.known.get(next);
      if (result === 'created') this.known.set(next, { content, kind: old.kind, metadata: old.metadata, createdAt: memory.clock.now(), copies: 1 });
      else if (there !== undefined) this.merge(next, there, old.metadata.tag, undefined);
    }

    /** Out and in again, on top of itself: an import of what is there changes nothing. */
    private async carry() {
      const { lines } = await memory.exporting.execute(this.me, { limit: 500 });
      await memory.importing.execute(this.me, { importId: `i-${this.writes}`, from: 0, lines });
    }
  }

  it('every acknowledged write is visible, deleted, expired, superseded or merged, and filters give what they say (P2, P9, P11)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 15 }), async (steps) => {
        memory = memoryOn(database);
        const me = newCaller();
        const history = new History(me);
        for (const one of steps) await history.take(one as never);
        const expected = history.visible().sort();
        const listed: string[] = [];
        for (let cursor: string | undefined; ; ) {
          const page = await memory.read.list(me, { limit: 7, ...(cursor === undefined ? {} : { cursor }) });
          listed.push(...page.memories.map(({ id }) => id));
          cursor = page.nextCursor;
          if (cursor === undefined) break;
        }
        expect(listed.sort()).toEqual(expected);
        const { lines } = await memory.exporting.execute(me, { limit: 500 });
        const current = lines.map((line) => JSON.parse(line) as { id: string; supersededBy?: string }).filter(({ supersededBy }) => supersededBy === undefined);
        expect(current.map(({ id }) => id).sort()).toEqual(expected);
        for (const [id, one] of history.known) {
          if (expected.includes(id)) await expect(memory.read.get(me, id)).resolves.toMatchObject({ content: one.content, seenCount: one.copies });
        }
        for (const [text, tag, kind] of [
          ['router', 'a', 'note'],
          ['数据库', 'b', 'fact'],
        ] as const) {
          const { hits } = await memory.search.execute(me, query(text, { k: 50, minScore: 0, metadata: { tag }, kinds: [kind] }));
          const wanted = expected.filter((id) => {
            const one = history.known.get(id) as Known;
            return one.content.includes(text) && one.metadata.tag === tag && one.kind === kind;
          });
          expect(hits.map(({ id }) => id).sort()).toEqual(wanted);
        }
      }),
      { numRuns: RUNS, seed: 20_261_121 },
    );
  }, 180_000);
});
