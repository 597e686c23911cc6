import type { Database } from '@plexus/database';
import fc from 'fast-check';
import { probesOf, weigh } from '../src/domain/evidence.js';
import { readQuery } from '../src/domain/query.js';
import { relevance } from '../src/domain/score.js';
import { documentTerms } from '../src/domain/tokeniser.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';

describe.each(BACKENDS)('memory on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());
  beforeEach(() => {
    memory = memoryOn(database);
  });

  const contents = async (caller: ReturnType<typeof newCaller>, text: string, rest: Parameters<typeof query>[1] = {}) =>
    (await memory.search.execute(caller, query(text, rest))).hits.map(({ content }) => content);

  describe('searching', () => {
    it('finding 9: finds a word inside a CJK sentence at about 0.8 and does not find another (1)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('用户偏好使用PostgreSQL数据库'));
      const found = await memory.search.execute(me, query('数据库'));
      expect(found).toMatchObject({ mode: 'text', semantic: false, hits: [{ score: 0.8, matched: ['数据', '据库'], missing: [] }] });
      expect(found.degraded).toBe(backend.vectorExtension ? 'embedder_unavailable' : 'vector_extension_missing');
      await expect(memory.search.execute(me, query('天气'))).resolves.toMatchObject({ hits: [], mode: 'text' });
    });

    it('finds single CJK characters wherever they stand in a run (3)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('用户偏好数据库。'));
      for (const character of '数据库用') {
        const found = await memory.search.execute(me, query(character));
        expect(found).toMatchObject({ mode: 'like', hits: [{ score: 0.8, matched: [character] }] });
      }
    });

    it('lets a match of all words through the default least score, and orders by evidence (16)', async () => {
      const me = newCaller();
      for (const text of ['deploy checklist for the gateway', 'deploy the gateway on friday', 'gateway', 'lunch menu'])
        await memory.write.execute(me, note(text));
      const { hits } = await memory.search.execute(me, query('deploy gateway friday'));
      expect(hits.map(({ content, score }) => [content, score])).toEqual([
        ['deploy the gateway on friday', 0.8],
        ['deploy checklist for the gateway', 0.533333],
        ['gateway', 0.266667],
      ]);
      expect(hits[1]).toMatchObject({ matched: ['deploy', 'gateway'], missing: ['friday'] });
    });

    it('scores an equal text 1 and puts it first, whatever its case, width and spacing (P6)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('prefer tabs'));
      await memory.write.execute(me, note('I prefer tabs to spaces'));
      const { hits } = await memory.search.execute(me, query('  ＰＲＥＦＥＲ\n tabs'));
      expect(hits.map(({ score }) => score)).toEqual([1, 0.8]);
      expect(hits[0]?.content).toBe('prefer tabs');
    });

    it('finds by kinds, namespace and scopes only what was asked for (P11)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('alpha one', { kind: 'fact' }));
      await memory.write.execute(me, note('alpha two', { namespace: 'project' }));
      await memory.write.execute(me, note('alpha three', { scope: { kind: 'agent', id: 'main' } }));
      expect(await contents(me, 'alpha')).toEqual(['alpha two', 'alpha one']);
      expect(await contents(me, 'alpha', { kinds: ['fact'] })).toEqual(['alpha one']);
      expect(await contents(me, 'alpha', { namespace: 'project' })).toEqual(['alpha two']);
      expect(await contents(me, 'alpha', { scopes: [{ kind: 'agent', id: 'main' }] })).toEqual(['alpha three']);
      const union = [
        { kind: 'user', id: 'me' },
        { kind: 'agent', id: 'main' },
        { kind: 'user', id: 'me' },
      ] as const;
      expect((await contents(me, 'alpha', { scopes: union })).sort()).toEqual(['alpha one', 'alpha three', 'alpha two']);
    });

    it('agrees with weighing every memory by hand, and a shorter list is the beginning of a longer one (P3, P5)', async () => {
      const me = newCaller();
      const word = fc.constantFrom('alpha', 'beta', 'GitHub', 'git', 'hub', 'user_id', 'user', '42', 'the', '数据库', '备份失败', 'plexus-gateway-v2', 'v2');
      const [texts = []] = fc.sample(
        fc.uniqueArray(
          fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' ')),
          { minLength: 60, maxLength: 60 },
        ),
        { seed: 7, numRuns: 1 },
      );
      for (const text of texts) {
        await memory.write.execute(me, note(text));
        await memory.clock.advance(1);
      }
      const byHand = (text: string, content: string) => {
        const units = readQuery(text);
        const probes = probesOf(units);
        const terms = documentTerms(content);
        const has = ({ term, prefix }: (typeof probes)[number]) => terms.some((t) => (prefix ? t.startsWith(term) : t === term));
        const { lex } = weigh(units, probes, new Set(probes.flatMap((probe, position) => (has(probe) ? [position] : []))));
        return relevance({ lex, equal: text.toLowerCase() === content.toLowerCase() });
      };
      const queries = fc.sample(
        fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' ')),
        { seed: 9, numRuns: 15 },
      );
      for (const text of [...queries, '数', texts[0] as string]) {
        const lists = await Promise.all([5, 20, 50].map((k) => memory.search.execute(me, query(text, { k, minScore: 0 }))));
        const [five, twenty, fifty] = lists.map(({ hits }) => hits.map(({ id }) => id)) as [string[], string[], string[]];
        expect(fifty.slice(0, 20)).toEqual(twenty);
        expect(twenty.slice(0, 5)).toEqual(five);
        const { hits } = lists[2] as (typeof lists)[number];
        for (const { content, score } of hits) expect(score).toBe(byHand(text, content));
        const scores = hits.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
        const expected = texts.map((content) => byHand(text, content)).filter((score) => score > 0);
        expect(scores).toEqual(expected.sort((a, b) => b - a).slice(0, 50));
      }
    });

    it('answers hostile queries with hits or with query_has_no_terms, never with an error (34)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note(`it's 100% \\ "quoted" 🎉 party | & ! :* ()`));
      const hostile = [
        "' | !",
        ':*',
        '\0',
        '🎉'.repeat(2_000),
        '\ud800',
        `'; DROP TABLE memory; --`,
        '\\',
        '"',
        '<->',
        "it's",
        '%',
        '数\0据',
        '   ',
        '\u200d',
        '-'.repeat(4_000),
        'a '.repeat(2_000),
        '(&)',
        `''`,
      ];
      for (const text of hostile) {
        const { mode, degraded, hits } = await memory.search.execute(me, query(text));
        if (degraded === 'query_has_no_terms') expect(mode).toBe('like');
        for (const { score } of hits) expect(score).toBeLessThanOrEqual(1);
      }
      await expect(memory.search.execute(me, query('🎉'))).resolves.toMatchObject({ mode: 'like', degraded: 'query_has_no_terms', hits: [{ score: 0.8 }] });
      await expect(memory.search.execute(me, query(':*'))).resolves.toMatchObject({ hits: [{ matched: [':*'] }] });
    });
  });

  describe('writing', () => {
    it('the same key twenty times in parallel is one memory; with another body it is a conflict (6)', async () => {
      const me = newCaller();
      const answers = await Promise.all(Array.from({ length: 20 }, () => memory.write.execute(me, note('hello'), 'key-1')));
      expect(answers.filter(({ result }) => result === 'created')).toHaveLength(1);
      expect(answers.filter(({ result }) => result === 'replayed')).toHaveLength(19);
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
      await expect(memory.write.execute(me, note('other'), 'key-1')).rejects.toMatchObject({ code: 'CONFLICT' });
      await expect(memory.write.execute({ ...me, user: 'you' }, note('other'), 'key-1')).resolves.toMatchObject({ result: 'created' });
      expect(memory.facts).toHaveLength(2);
    });

    it('a crowd of writers at once: each gets its own answer, duplicates are one memory, and only what was created is published', async () => {
      const me = newCaller();
      const soon = await memory.write.execute(me, note('text 3', { expiresAt: new Date(memory.clock.now() + 1_000).toISOString() }));
      await memory.clock.advance(2_000);
      const texts = Array.from({ length: 60 }, (_, n) => `text ${n % 40}`);
      const scopes = [undefined, { kind: 'shared', id: 'all' }] as const;
      const rest = (n: number) => ({ importance: n % 2, metadata: { n }, ...(n % 3 === 0 ? { expiresAt: '2027-01-01T00:00:00Z' } : {}) });
      const answers = await Promise.all(
        scopes.flatMap((scope) => texts.map((text, n) => memory.write.execute(me, note(text, { ...rest(n), ...(scope === undefined ? {} : { scope }) })))),
      );
      const created = answers.filter(({ result }) => result === 'created');
      expect(created).toHaveLength(80);
      expect(new Set(answers.map(({ id }) => id)).size).toBe(80);
      expect(created.map(({ id }) => id)).not.toContain(soon.id);
      for (const [index, { id }] of answers.entries()) {
        const { content, place, metadata } = await memory.read.get(me, id);
        expect([content, place.kind]).toEqual([texts[index % 60], index < 60 ? 'user' : 'shared']);
        expect((metadata as { n: number }).n % 40).toBe((index % 60) % 40);
      }
      const published = await database.query<{ body: Uint8Array }>('test_published', `SELECT body FROM outbox WHERE subject LIKE $1`, [
        `plexus.evt.${me.tenant}.%`,
      ]);
      const ids = published.map(({ body }) => (JSON.parse(Buffer.from(body).toString()) as { memoryId: string }).memoryId);
      expect(ids.sort()).toEqual([soon.id, ...created.map(({ id }) => id)].sort());
      const { hits } = await memory.search.execute(me, query('text 7', { k: 1 }));
      expect(hits).toMatchObject([{ content: 'text 7', score: 1 }]);
    });

    it('the same content without a key is one memory, seen twice (7)', async () => {
      const me = newCaller();
      const first = await memory.write.execute(me, note('hello'));
      await expect(memory.write.execute(me, note('hello'))).resolves.toEqual({ id: first.id, result: 'duplicate', embedding: 'none' });
      await expect(memory.read.get(me, first.id)).resolves.toMatchObject({ seenCount: 2 });
      await expect(memory.read.stats(me)).resolves.toMatchObject({ memories: 1 });
    });

    it('twenty writers of one content at once make one row that counts them all', async () => {
      const me = newCaller();
      const answers = await Promise.all(Array.from({ length: 20 }, () => memory.write.execute(me, note('hello'))));
      expect(answers.filter(({ result }) => result === 'created')).toHaveLength(1);
      await expect(memory.read.get(me, answers[0]?.id as string)).resolves.toMatchObject({ seenCount: 20 });
    });

    it('another kind, namespace or scope is another memory', async () => {
      const me = newCaller();
      const rest = [{}, { kind: 'fact' as const }, { namespace: 'x' }, { scope: { kind: 'shared' as const, id: 'all' } }];
      const answers = await Promise.all(rest.map((difference) => memory.write.execute(me, note('hello', difference))));
      expect(new Set(answers.map(({ id }) => id)).size).toBe(4);
    });

    it('a duplicate that asks to live longer makes the memory live longer', async () => {
      const me = newCaller();
      const at = (seconds: number) => new Date(memory.clock.now() + seconds * 1_000).toISOString();
      const { id } = await memory.write.execute(me, note('hello', { expiresAt: at(10), importance: 0.25, metadata: { a: 1 } }));
      await memory.write.execute(me, note('hello', { expiresAt: at(5) }));
      await expect(memory.read.get(me, id)).resolves.toMatchObject({ expiresAt: new Date(at(10)), importance: 0.25, metadata: { a: 1 } });
      await memory.write.execute(me, note('hello', { importance: 0.5 }));
      const merged = await memory.read.get(me, id);
      expect(merged.expiresAt).toBeUndefined();
      expect(merged).toMatchObject({ importance: 0.5, metadata: { a: 1 }, seenCount: 3 });
    });

    it('keeps what it was given, and tells who may see it', async () => {
      const me = newCaller();
      const metadata = { tags: ['a'], nested: { n: 1.5, none: null } };
      const { id } = await memory.write.execute(me, note(' Ünïcode 🎉\r\n', { kind: 'preference', namespace: 'n', importance: 0.1, metadata }));
      const stored = await memory.read.get(me, id);
      expect(stored).toMatchObject({ content: ' Ünïcode 🎉\r\n', kind: 'preference', namespace: 'n', metadata, importance: 0.1, seenCount: 1 });
      expect(stored.place).toEqual({ kind: 'user', id: 'me', owner: '' });
      expect(stored.createdAt).toEqual(new Date(memory.clock.now()));
    });

    it('refuses more than 64 KiB of UTF-8 and takes exactly that', async () => {
      const me = newCaller();
      await expect(memory.write.execute(me, note('数'.repeat(21_846)))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
      await expect(memory.write.execute(me, note('x'.repeat(65_537)))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
      await expect(memory.write.execute(me, note(`${'数'.repeat(21_845)}x`))).resolves.toMatchObject({ result: 'created' });
      await expect(memory.write.execute(me, note('a', { metadata: { text: 'x'.repeat(9_000) } }))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
      await expect(contents(me, '数数')).resolves.toHaveLength(1);
    });

    it('stores 64 KiB of whatever there is', async () => {
      const me = newCaller();
      const distinct = Array.from({ length: 16_000 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('');
      const texts = [
        distinct,
        'a-'.repeat(32_768),
        'aB1'.repeat(21_845),
        '🎉'.repeat(16_384),
        'ﷺ'.repeat(21_845),
        Array.from({ length: 9_000 }, (_, n) => `w${n}`).join(' '),
      ];
      for (const text of texts) await expect(memory.write.execute(me, note(text))).resolves.toMatchObject({ result: 'created' });
      await expect(contents(me, 'w8999')).resolves.toHaveLength(1);
    });

    it('text that Postgres cannot hold is stored with a visible replacement, identifiers of it are refused', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('a\0b\ud800 word', { metadata: { 'k\0': 'v\udc00' } }));
      await expect(memory.read.get(me, id)).resolves.toMatchObject({ content: 'a\ufffdb\ufffd word', metadata: { 'k\ufffd': 'v\ufffd' } });
      expect(await contents(me, 'word')).toHaveLength(1);
      const refused = { code: 'INVALID_REQUEST' };
      await expect(memory.write.execute(me, note('x', { namespace: 'a\0' }))).rejects.toMatchObject(refused);
      await expect(memory.write.execute(me, note('x', { scope: { kind: 'agent', id: '\ud800' } }))).rejects.toMatchObject(refused);
      await expect(memory.write.execute(me, note('x', { scope: { kind: 'agent', id: '数'.repeat(400) } }))).rejects.toMatchObject(refused);
      await expect(memory.write.execute(me, note('x'), 'key \0 \ud800')).resolves.toMatchObject({ result: 'created' });
      await expect(memory.search.execute(me, query('x', { namespace: 'a\0', scopes: [{ kind: 'agent', id: 'a\0' }] }))).resolves.toMatchObject({ hits: [] });
      await expect(memory.read.get(me, 'mem_\0')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(memory.read.delete(me, '\ud800')).resolves.toBe(false);
    });

    it('puts the fact of a new memory, and of no other, into the outbox', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('hello'));
      await memory.write.execute(me, note('hello'));
      const rows = await database.query<{ msg_id: string }>(`test_outbox_${me.tenant}`, `SELECT msg_id FROM outbox WHERE subject LIKE $1`, [
        `plexus.evt.${me.tenant}.%`,
      ]);
      expect(rows).toEqual([{ msg_id: id }]);
    });
  });

  describe('deleting and expiring', () => {
    it('a deleted memory is gone for the next search, and stays gone when its write is delivered again (18)', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('secret plan'), 'event-1');
      await expect(memory.read.delete(me, id)).resolves.toBe(true);
      expect(await contents(me, 'secret plan')).toEqual([]);
      await expect(memory.read.get(me, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(memory.read.delete(me, id)).resolves.toBe(false);
      await expect(memory.write.execute(me, note('secret plan'), 'event-1')).resolves.toEqual({ id, result: 'replayed', embedding: 'none' });
      await memory.clock.advance(10 * 24 * 3_600_000);
      await memory.sweep.execute();
      await expect(memory.write.execute(me, note('secret plan'), 'event-1')).resolves.toEqual({ id, result: 'replayed', embedding: 'none' });
      expect(await contents(me, 'secret plan')).toEqual([]);
    });

    it('a deleted text may be written anew', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('hello'));
      await memory.read.delete(me, id);
      const again = await memory.write.execute(me, note('hello'));
      expect(again.result).toBe('created');
      expect(again.id).not.toBe(id);
      expect(await contents(me, 'hello')).toEqual(['hello']);
    });

    it('deleting removes the content from the table at once', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('very secret', { metadata: { also: 'secret' } }));
      await memory.read.delete(me, id);
      const [row] = await database.query(`test_scrubbed_${me.tenant}`, 'SELECT content, lex::text, metadata FROM memory WHERE id = $1', [id]);
      expect(row).toEqual({ content: '', lex: '', metadata: null });
    });

    it('an expiring memory is visible until its moment and absent after it, without any sweep (20)', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('soon gone', { expiresAt: new Date(memory.clock.now() + 2_000).toISOString() }));
      await memory.clock.advance(1_000);
      expect(await contents(me, 'soon gone')).toHaveLength(1);
      await memory.clock.advance(1_100);
      expect(await contents(me, 'soon gone')).toEqual([]);
      await expect(memory.read.get(me, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(memory.read.list(me, { limit: 10 })).resolves.toEqual({ memories: [] });
      const rowsLeft = () => database.query(`test_left_${me.tenant}`, 'SELECT 1 AS one FROM memory WHERE id = $1', [id]);
      await memory.sweep.execute();
      expect(await rowsLeft()).toHaveLength(1);
      await memory.clock.advance(7 * 24 * 3_600_000);
      await memory.sweep.execute();
      expect(await rowsLeft()).toEqual([]);
    });

    it('an expired memory does not stand in the way of the same content', async () => {
      const me = newCaller();
      const first = await memory.write.execute(me, note('hello', { expiresAt: new Date(memory.clock.now() + 1_000).toISOString() }));
      await memory.clock.advance(1_000);
      const again = await memory.write.execute(me, note('hello'));
      expect(again.result).toBe('created');
      expect(again.id).not.toBe(first.id);
      expect(await contents(me, 'hello')).toEqual(['hello']);
    });

    it('forgets idempotency keys after seven days', async () => {
      const me = newCaller();
      const { id } = await memory.write.execute(me, note('hello'), 'key');
      await memory.clock.advance(7 * 24 * 3_600_000 + 1);
      await memory.sweep.execute();
      await expect(memory.write.execute(me, note('hello'), 'key')).resolves.toEqual({ id, result: 'duplicate', embedding: 'none' });
    });
  });

  describe('listing', () => {
    it('walks a scope newest first, every memory once, while others are written', async () => {
      const me = newCaller();
      for (let n = 0; n < 25; n += 1) {
        await memory.write.execute(me, note(`n${n}`));
        if (n % 3 === 0) await memory.clock.advance(1);
      }
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await memory.read.list(me, { limit: 10, ...(cursor === undefined ? {} : { cursor }) });
        seen.push(...page.memories.map(({ content }) => content));
        cursor = page.nextCursor;
        await memory.clock.advance(1);
        await memory.write.execute(me, note(`later ${seen.length}`));
      } while (cursor !== undefined);
      expect(new Set(seen).size).toBe(25);
      expect(seen).toHaveLength(25);
    });

    it('cuts a page of large memories so that it fits one message', async () => {
      const me = newCaller();
      for (let n = 0; n < 14; n += 1) await memory.write.execute(me, note(`${n} ${'x'.repeat(60_000)}`));
      const first = await memory.read.list(me, { limit: 200 });
      expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThan(900_000);
      const second = await memory.read.list(me, { limit: 200, cursor: first.nextCursor as string });
      expect(first.memories.length + second.memories.length).toBe(14);
      expect(second.nextCursor).toBeUndefined();
    });

    it('refuses a cursor of somebody’s invention', async () => {
      await expect(memory.read.list(newCaller(), { limit: 10, cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });
  });
});
