import type { Database } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import { PostgresMemoryWriter } from '../src/adapters/postgres/memory-writer.js';
import { RetokeniseMemories } from '../src/application/retokenise-memories.js';
import { SearchMemories } from '../src/application/search-memories.js';
import { WriteMemory } from '../src/application/write-memory.js';
import { CURRENT_RULES, type LexRules } from '../src/domain/lex-rules.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';

const never = new AbortController().signal;

/** Rules that come after today's: an English plural is its singular. */
const singular = (term: string): string => (/^[a-z]{3,}s$/.test(term) ? term.slice(0, -1) : term);
const NEXT: LexRules = {
  version: CURRENT_RULES.version + 1,
  documentTerms: (text) => [...new Set(CURRENT_RULES.documentTerms(text).map(singular))],
  readQuery: (text) => CURRENT_RULES.readQuery(text).map((unit) => ({ ...unit, term: singular(unit.term), parts: unit.parts.map(singular) })),
};

describe.each(BACKENDS)('terms, spellings and near-duplicates on $name', (backend) => {
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
  afterEach(() => database.script('DELETE FROM memory; DELETE FROM tenant'));

  describe('after a change of the rules', () => {
    const afterwards = () => {
      const writer = new PostgresMemoryWriter(
        database,
        (_tenant, { memoryId }) => ({ subject: 's', msgId: `next-${memoryId}`, body: Buffer.from('') }),
        () => () => [],
        () => undefined,
      );
      const extras = { lexicon: memory.lexicon, rules: NEXT, earlier: [CURRENT_RULES] };
      return {
        write: new WriteMemory(writer, memory.reader, memory.keys, memory.models, memory.clock, () => ulid(), NEXT),
        search: new SearchMemories(memory.reader, memory.keys, memory.models, memory.clock, extras),
        retokenise: new RetokeniseMemories(memory.lexicon, memory.retention, memory.clock, NEXT, 0),
      };
    };

    it('memories of both versions are found by their own terms, and those of today once all are made anew', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('three databases in the cellar'));
      await memory.write.execute(me, note('数据库备份'));
      const next = afterwards();
      await next.write.execute(me, note('two databases on the roof'));
      const ask = async (text: string) => (await next.search.execute(me, query(text))).hits.map(({ content, score }) => [content, score]);
      expect(await ask('databases')).toEqual([
        ['two databases on the roof', 0.8],
        ['three databases in the cellar', 0.8],
      ]);
      // By today's rules a query of one is a query of many; what was written before does not know it yet.
      expect(await ask('database')).toEqual([['two databases on the roof', 0.8]]);
      expect(await ask('数据库')).toEqual([['数据库备份', 0.8]]);
      await expect(memory.lexicon.pending(me.tenant, NEXT.version)).resolves.toBe(2);
      await expect(next.retokenise.execute(never)).resolves.toBe(2);
      await expect(memory.lexicon.pending(me.tenant, NEXT.version)).resolves.toBe(0);
      await expect(next.retokenise.execute(never)).resolves.toBe(0);
      await memory.clock.advance(60_000);
      expect(await ask('database')).toHaveLength(2);
      expect(await ask('数据库')).toEqual([['数据库备份', 0.8]]);
    });

    it('shorter lists are the beginning of longer ones meanwhile, and say what matched', async () => {
      const me = newCaller();
      const next = afterwards();
      for (let n = 0; n < 12; n += 1) {
        await (n % 2 === 0 ? memory : next).write.execute(me, note(`note ${n} about ${n % 3 === 0 ? 'routers' : 'cables'} and walls`));
        await memory.clock.advance(1);
      }
      const ask = (k: number) => next.search.execute(me, query('routers and walls', { k, minScore: 0 }));
      const all = await ask(50);
      expect(all.hits).toHaveLength(12);
      expect(all.hits[0]).toMatchObject({ matched: expect.arrayContaining(['and']), missing: [] });
      for (const k of [1, 4, 9]) expect((await ask(k)).hits.map(({ id }) => id)).toEqual(all.hits.slice(0, k).map(({ id }) => id));
    });

    it('stats tell how many still have earlier terms', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('one'));
      await expect(memory.read.stats(me)).resolves.toMatchObject({ terms: { version: CURRENT_RULES.version, pending: 0 } });
      await database.query('test_age_terms', 'UPDATE memory SET lex_version = lex_version - 1 WHERE tenant_id = $1', [me.tenant]);
      await expect(memory.read.stats(me)).resolves.toMatchObject({ terms: { pending: 1 } });
      await expect(new RetokeniseMemories(memory.lexicon, memory.retention, memory.clock, CURRENT_RULES, 0).execute(never)).resolves.toBe(1);
      await expect(memory.read.stats(me)).resolves.toMatchObject({ terms: { pending: 0 } });
    });
  });

  (backend.trigrams ? describe.skip : describe)('typing errors without pg_trgm', () => {
    it('are not forgiven, and the answer says why', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('the postgres database lives in the cellar'));
      await expect(memory.search.execute(me, query('databse cellar', { typos: true, mode: 'text' }))).resolves.toMatchObject({
        degraded: 'trgm_extension_missing',
        hits: [{ matched: ['cellar'] }],
      });
    });
  });

  (backend.trigrams ? describe : describe.skip)('typing errors', () => {
    it('are forgiven when it is asked for: nearly the word counts by its similarity, and less than the word', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('the postgres database lives in the cellar'));
      await memory.write.execute(me, note('the weather is fine'));
      await expect(memory.search.execute(me, query('databse'))).resolves.toMatchObject({ hits: [] });
      const answer = await memory.search.execute(me, query('databse', { typos: true }));
      expect(answer.hits.map(({ content }) => content)).toEqual(['the postgres database lives in the cellar']);
      expect(answer.hits[0]?.score).toBeGreaterThan(0.2);
      expect(answer.hits[0]?.score).toBeLessThan(0.8);
      expect(answer.hits[0]).toMatchObject({ matched: [], missing: ['databse'] });
      expect(answer.corrections).toEqual([{ term: 'databse', to: 'database', similarity: expect.any(Number) }]);
      const exact = await memory.search.execute(me, query('database', { typos: true }));
      expect(exact.hits[0]).toMatchObject({ score: 0.8, matched: ['database'] });
    });

    it('of numbers and short words are not guessed, nor is anything taken from what one may not see', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('port 54320 for the cat'));
      await memory.write.execute({ ...me, user: 'you' }, note('confidential database'));
      for (const text of ['54321', 'cax', 'confidentail']) {
        const answer = await memory.search.execute(me, query(text, { typos: true }));
        expect([text, answer.hits, answer.corrections]).toEqual([text, [], undefined]);
      }
    });

    it('in a locale without letters beyond ASCII are forgiven in Latin words, and Chinese is found as always (31)', async () => {
      const me = newCaller();
      await memory.write.execute(me, note('用户偏好使用PostgreSQL数据库'));
      const answer = await memory.search.execute(me, query('postgresq 数据库', { typos: true }));
      expect(answer.hits).toHaveLength(1);
      expect(answer.corrections?.[0]).toMatchObject({ term: 'postgresq', to: 'postgresql' });
      const [{ trigrams } = { trigrams: -1 }] = await database.query<{ trigrams: number }>('test_trgm', `SELECT cardinality(show_trgm('数据')) AS trigrams`);
      const { degraded } = await memory.search.execute(me, query('postgresq 数据库', { typos: true, mode: 'text' }));
      expect(degraded).toBe(trigrams === 0 ? 'trgm_unusable_locale' : undefined);
    });
  });

  describe('near-duplicates', () => {
    it('are linked by their terms when numbers and negations agree, in one place and namespace', async () => {
      const me = newCaller();
      const base = 'the backup of the router configuration runs every night in the cellar at 3';
      const texts = [base, `${base}!`, base.replace('3', '4'), base.replace('runs', 'never runs'), 'something else'];
      const ids: string[] = [];
      for (const text of texts) ids.push((await memory.write.execute(me, note(text))).id);
      await memory.write.execute(me, note(`${base}?`, { namespace: 'other' }));
      await memory.write.execute({ ...me, user: 'you' }, note(`${base}?`));
      await expect(memory.link.execute(never)).resolves.toBe(7);
      await expect(memory.link.execute(never)).resolves.toBe(0);
      await expect(memory.read.nearDuplicates(me, ids[0] as string)).resolves.toEqual([{ id: ids[1], similarity: 1, by: 'terms' }]);
      for (const id of ids.slice(2)) await expect(memory.read.nearDuplicates(me, id)).resolves.toEqual([]);
    });

    it('are shown as one hit when it is asked for, and all of them otherwise; none is ever deleted', async () => {
      const me = newCaller();
      const base = 'the backup of the router configuration runs every night in the cellar at 3';
      for (const text of [base, `${base}!`, `${base}.`, 'the router stands in the cellar']) await memory.write.execute(me, note(text));
      await memory.link.execute(never);
      const plain = await memory.search.execute(me, query('router cellar'));
      expect(plain.hits).toHaveLength(4);
      const { hits } = await memory.search.execute(me, query('router cellar', { collapse: true }));
      expect(hits).toHaveLength(2);
      const best = hits.find(({ content }) => content.startsWith('the backup'));
      expect(best?.nearDuplicates).toHaveLength(2);
      const first = await memory.search.execute(me, query('router cellar', { collapse: true, k: 1 }));
      expect(first.hits[0]?.id).toBe(hits[0]?.id);
      const second = await memory.search.execute(me, query('router cellar', { collapse: true, k: 1, cursor: first.nextCursor as string }));
      expect(second.hits[0]?.id).toBe(hits[1]?.id);
      await expect(memory.read.stats(me)).resolves.toMatchObject({ memories: 4 });
    });

    it('are forgotten with a memory that goes', async () => {
      const me = newCaller();
      const ids = [];
      for (const text of ['a note about nothing', 'a note about nothing!']) ids.push((await memory.write.execute(me, note(text))).id);
      await memory.link.execute(never);
      await expect(memory.read.nearDuplicates(me, ids[0] as string)).resolves.toHaveLength(1);
      await memory.read.delete(me, ids[1] as string);
      await expect(memory.read.nearDuplicates(me, ids[0] as string)).resolves.toEqual([]);
    });
  });
});
