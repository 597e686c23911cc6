import type { Database } from '@plexus/database';
import { FakeClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import type { EmbedderSettings } from '../src/adapters/embedding/embedders.js';
import { cosine } from '../src/domain/embedding/model.js';
import { embedByHash } from '../src/domain/embedding/local-hash.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, query } from './support/backends.js';
import { ConceptEmbedder } from './support/concept-embedder.js';

const [pglite, plain] = BACKENDS;
const DAY_MS = 24 * 3_600_000;
const never = new AbortController().signal;

let database: Database;
let close: () => Promise<void>;
let endpoint: ConceptEmbedder;
let clock: FakeClock;

beforeAll(async () => {
  ({ database, close } = await (pglite as (typeof BACKENDS)[number]).open());
});
afterAll(() => close());
beforeEach(async () => {
  endpoint = await ConceptEmbedder.start();
  clock = new FakeClock(Date.parse('2026-11-21T10:00:00Z'));
});
afterEach(async () => {
  await endpoint.stop();
  // Models belong to the database, not to a tenant: each test begins without any.
  for (const { table_name } of await database.query<{ table_name: string }>('test_models', 'DELETE FROM embedding_model RETURNING table_name')) {
    await database.script(`DROP TRIGGER IF EXISTS ${table_name}_forget ON memory; DROP TABLE IF EXISTS ${table_name}`);
  }
  await database.script('DELETE FROM embed_failed; DELETE FROM embed_cache; DELETE FROM memory; DELETE FROM tenant');
});

const settings = (rest: object = {}): EmbedderSettings => ({
  kind: 'openai',
  baseUrl: endpoint.baseUrl,
  model: 'concepts',
  dimensions: 16,
  maxBatch: 64,
  concurrency: 2,
  timeoutMs: 60_000,
  ...rest,
});
const HASH: EmbedderSettings = { kind: 'local-hash', dimensions: 256 };

/** Does what the consumer of jobs would. */
async function drain(memory: Memory): Promise<void> {
  for (const job of memory.jobs.splice(0)) {
    const serving = await memory.models.byId(job.modelId);
    if (serving !== undefined) await memory.embed.execute([job], serving.record, serving.embedding, never);
  }
}

/** Fake time goes on while real work is done, so that pauses and limits end. */
async function passing<T>(work: Promise<T>, stepMs = 50): Promise<T> {
  let over = false;
  const settled = work.finally(() => {
    over = true;
  });
  settled.catch(() => undefined); // awaited below
  while (!over) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return settled;
}

async function semantic(rest: object = {}): Promise<Memory> {
  const memory = memoryOn(database, clock, settings(rest));
  await memory.models.register();
  return memory;
}

/** Searches of these tests mind the meaning, not the clock. */
const ask = (memory: Memory, me: ReturnType<typeof newCaller>, text: string, rest: Parameters<typeof query>[1] = {}) =>
  memory.search.execute(me, query(text, rest));

describe('meaning', () => {
  it('finds across languages and spellings what words do not, and says that it was meaning', async () => {
    const memory = await semantic();
    const me = newCaller();
    await expect(memory.write.execute(me, note('nightly backup of the database'))).resolves.toMatchObject({ embedding: 'pending' });
    await memory.write.execute(me, note('espresso without sugar'));
    await drain(memory);
    const found = await ask(memory, me, '数据库备份');
    expect(found).toMatchObject({ mode: 'hybrid', semantic: true, coverage: 1, vectorScan: 'exact', order: 'score', exhausted: true });
    expect(found).not.toHaveProperty('degraded');
    expect(found.model).toBe('openai-compat:concepts:16:v1');
    expect(found.hits.map(({ content }) => content)).toEqual(['nightly backup of the database']);
    await expect(ask(memory, me, '数据库备份', { mode: 'text' })).resolves.toMatchObject({ mode: 'text', semantic: false, hits: [] });
    await expect(ask(memory, me, '数据库备份', { mode: 'vector' })).resolves.toMatchObject({ mode: 'vector', hits: [{ matched: [], missing: [] }] });
  });

  it('is explained: the published formula gives the score again, and missing terms are listed (17)', async () => {
    const memory = await semantic();
    const me = newCaller();
    for (const text of ['database snapshot of friday', 'database of the weather station', 'holiday plans']) await memory.write.execute(me, note(text));
    await drain(memory);
    const { hits } = await ask(memory, me, 'database backup', { explain: true, minScore: 0 });
    expect(hits.length).toBeGreaterThanOrEqual(2);
    for (const { score, explain, missing } of hits) {
      const { lex, sem, cos, floor } = explain as NonNullable<typeof explain>;
      expect(sem).toBeCloseTo(Math.min(1, Math.max(0, ((cos as number) - (floor as number)) / (1 - (floor as number)))), 6);
      expect(score).toBeCloseTo(1 - (1 - 0.9 * (sem as number)) * (1 - 0.8 * lex), 3);
      expect(missing).toContain('backup');
    }
  });

  it('never lowers what all words say, and survives the default least score without it (16)', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('zyx quux'));
    await drain(memory);
    const { hits } = await ask(memory, me, 'zyx quux flurb', { explain: true });
    expect(hits[0]?.score).toBeGreaterThanOrEqual((0.8 * 2) / 3 - 1e-6);
  });

  it('the local embedder compares spellings, says so, and is the same everywhere (25)', async () => {
    const memory = memoryOn(database, clock, HASH);
    await memory.models.register();
    const me = newCaller();
    await memory.write.execute(me, note('the deployment pipeline failed'));
    await drain(memory);
    await expect(ask(memory, me, 'deployments of pipelines', { minScore: 0 })).resolves.toMatchObject({
      mode: 'hybrid-lexical',
      semantic: false,
      model: 'local-hash:hash:256:v1',
      hits: [{ content: 'the deployment pipeline failed' }],
    });
    await expect(ask(memory, me, '部署流水线')).resolves.toMatchObject({ hits: [] });
    const bytes = Buffer.from(embedByHash('数据库 Backup', 8).buffer).toString('hex');
    expect(bytes).toBe(Buffer.from(embedByHash('数据库 Backup', 8).buffer).toString('hex'));
    expect(cosine(embedByHash('backups', 512), embedByHash('backup', 512))).toBeGreaterThan(0.3);
  });

  it('of a long memory is that of its best chunk', async () => {
    const memory = await semantic();
    const me = newCaller();
    const filler = 'nothing of interest happened on that day. '.repeat(60);
    await memory.write.execute(me, note(`${filler} the espresso machine is broken. ${filler}`));
    await drain(memory);
    const [row] = await database.query<{ chunks: number }>('test_chunks', `SELECT count(*)::int AS chunks FROM ${(await memory.models.wanted())[0]?.table}`);
    expect(row?.chunks).toBeGreaterThan(2);
    await expect(ask(memory, me, '咖啡')).resolves.toMatchObject({ hits: [{ score: expect.any(Number) }] });
  });

  it('goes with the memory when it is deleted (18)', async () => {
    const memory = await semantic();
    const me = newCaller();
    const { id } = await memory.write.execute(me, note('wifi password'));
    const [late] = memory.jobs;
    await drain(memory);
    await memory.read.delete(me, id);
    const table = (await memory.models.wanted())[0]?.table;
    await expect(database.query('test_vectors', `SELECT memory_id FROM ${table}`)).resolves.toEqual([]);
    memory.jobs.push(late as NonNullable<typeof late>);
    await drain(memory);
    await expect(database.query('test_vectors', `SELECT memory_id FROM ${table}`)).resolves.toEqual([]);
    await expect(ask(memory, me, 'router')).resolves.toMatchObject({ hits: [] });
  });
});

describe('near-duplicates by meaning', () => {
  it('are linked across languages when numbers and negations agree, once the vectors are there', async () => {
    const memory = await semantic();
    const me = newCaller();
    const ids: string[] = [];
    for (const text of ['the database backup', '数据库备份', '数据库没有备份', 'database backup 2', 'coffee and holiday']) {
      ids.push((await memory.write.execute(me, note(text))).id);
    }
    // Without vectors they are compared by their terms; with them once more.
    await expect(memory.link.execute(never)).resolves.toBe(5);
    await expect(memory.read.nearDuplicates(me, ids[0] as string)).resolves.toEqual([]);
    await drain(memory);
    await expect(memory.link.execute(never)).resolves.toBe(5);
    await expect(memory.link.execute(never)).resolves.toBe(0);
    await expect(memory.read.nearDuplicates(me, ids[0] as string)).resolves.toEqual([{ id: ids[1], similarity: expect.any(Number), by: 'vectors' }]);
    for (const id of ids.slice(2)) await expect(memory.read.nearDuplicates(me, id)).resolves.toEqual([]);
    const { hits } = await ask(memory, me, 'snapshot of the storage', { collapse: true, mode: 'vector' });
    const shown = hits.find(({ id }) => id === ids[0] || id === ids[1]);
    expect(shown?.nearDuplicates).toEqual([shown?.id === ids[0] ? ids[1] : ids[0]]);
  });
});

describe('an endpoint that fails', () => {
  it('costs no write: all are found by their words, and get their vectors once when it is back (4)', async () => {
    const memory = await semantic();
    const me = newCaller();
    endpoint.mode = 'down';
    for (let n = 0; n < 20; n += 1) await expect(memory.write.execute(me, note(`TICKET-${n} snapshot`))).resolves.toMatchObject({ embedding: 'pending' });
    await expect(drain(memory)).rejects.toThrow('503');
    await expect(ask(memory, me, 'TICKET-7', { minScore: 0.5 })).resolves.toMatchObject({
      mode: 'text',
      degraded: 'embedder_unavailable',
      semantic: false,
      hits: [{ content: 'TICKET-7 snapshot' }],
    });
    await expect(memory.read.stats(me)).resolves.toMatchObject({ pendingEmbeddings: 20, failedEmbeddings: 0 });

    endpoint.mode = 'ok';
    endpoint.batches.length = 0;
    await clock.advance(61_000);
    await expect(passing(memory.keep.execute(never))).resolves.toBe(20);
    expect(endpoint.texts.filter((text) => text.startsWith('TICKET')).length).toBe(20);
    await expect(memory.read.stats(me)).resolves.toMatchObject({ pendingEmbeddings: 0 });
    await expect(ask(memory, me, 'backup')).resolves.toMatchObject({ mode: 'hybrid', coverage: 1 });
  });

  it('that hangs holds up no search, and after five failures is not asked at all for a while (24)', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('alpha beta'));
    endpoint.mode = 'hang';
    for (let n = 0; n < 5; n += 1) {
      const asked = endpoint.batches.length;
      const searching = ask(memory, me, `alpha ${n}`);
      await waitFor(() => endpoint.batches.length > asked);
      await clock.advance(300);
      await expect(searching).resolves.toMatchObject({ mode: 'text', degraded: 'embedder_timeout', hits: [{ content: 'alpha beta' }] });
    }
    const asked = endpoint.batches.length;
    await expect(ask(memory, me, 'alpha again')).resolves.toMatchObject({ degraded: 'breaker_open' });
    expect(endpoint.batches.length).toBe(asked);
    endpoint.mode = 'ok';
    await clock.advance(15_000);
    await expect(ask(memory, me, 'alpha later')).resolves.toMatchObject({ mode: 'hybrid' });
  });

  it('refuses one text of a batch: the others get their vectors, that one is noted with the reason (26)', async () => {
    const memory = await semantic();
    const me = newCaller();
    endpoint.poison = 'poison';
    for (let n = 0; n < 64; n += 1) await memory.write.execute(me, note(n === 37 ? 'poison 37' : `fine ${n}`));
    const jobs = memory.jobs.splice(0);
    const [record] = await memory.models.wanted();
    const serving = memory.models.serving(record as NonNullable<typeof record>);
    if (typeof serving === 'string') throw new Error(serving);
    const outcomes = await memory.embed.execute(jobs, serving.record, serving.embedding, never);
    expect(outcomes.filter(({ kind }) => kind === 'stored')).toHaveLength(63);
    expect(outcomes.filter(({ kind }) => kind === 'refused')).toEqual([{ kind: 'refused', reason: expect.stringContaining('400') }]);
    await expect(memory.read.stats(me)).resolves.toMatchObject({ pendingEmbeddings: 0, failedEmbeddings: 1 });
    await expect(ask(memory, me, 'poison 37', { mode: 'text' })).resolves.toMatchObject({
      hits: expect.arrayContaining([expect.objectContaining({ content: 'poison 37' })]),
    });
    // The sweeper leaves it alone.
    await clock.advance(61_000);
    endpoint.batches.length = 0;
    await passing(memory.keep.execute(never));
    expect(endpoint.texts.some((text) => text.includes('poison'))).toBe(false);
  });

  it('that gives other vectors under the same name is not mixed in: search goes by words', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('wifi password'));
    await drain(memory);
    await passing(memory.keep.execute(never));
    endpoint.mode = 'drifted';
    const restarted = memoryOn(database, clock, settings());
    await passing(restarted.keep.execute(never));
    await expect(ask(restarted, me, 'router')).resolves.toMatchObject({ mode: 'text', degraded: 'embedder_unavailable', hits: [] });
  });
});

describe('a change of the model', () => {
  it('goes on while searches use the former, switches when it is complete, and embeds little twice after a cut (22)', async () => {
    const before = await semantic();
    const me = newCaller();
    for (let n = 0; n < 300; n += 1) await before.write.execute(me, note(`memory ${n} about ${n % 2 === 0 ? 'coffee' : 'weather'}`));
    await clock.advance(61_000);
    await passing(before.keep.execute(never));

    const wider = await ConceptEmbedder.start(24);
    try {
      // The same endpoint has both models, as a real one would: this one answers for the new width.
      const after = memoryOn(database, clock, HASH);
      const cut = new AbortController();
      await after.models.register();
      expect((await after.models.wanted()).map(({ model, state }) => [model.id, state])).toEqual([
        ['openai-compat:concepts:16:v1', 'active'],
        ['local-hash:hash:256:v1', 'building'],
      ]);
      const filling = after.keep.execute(cut.signal);
      const building = () => before.models.building();
      await passing(
        waitFor(async () => ((await building())?.share ?? 0) > 0.3, { intervalMs: 0 }).then(() => cut.abort()),
        1,
      );
      await passing(filling);
      const reply = await ask(before, me, 'espresso');
      expect(reply).toMatchObject({ mode: 'hybrid', model: 'openai-compat:concepts:16:v1', degraded: expect.stringMatching(/^model_building\(\d+%\)$/) });

      // Written meanwhile: vectors of both.
      await after.write.execute(me, note('one more espresso'));
      expect(after.jobs.map(({ modelId }) => modelId)).toEqual(['openai-compat:concepts:16:v1', 'local-hash:hash:256:v1']);
      await passing(after.keep.execute(never));
      await clock.advance(3_000);
      await expect(ask(after, me, 'espresso')).resolves.toMatchObject({ mode: 'hybrid-lexical', model: 'local-hash:hash:256:v1' });
      // The former can be taken back for a week.
      await expect(database.query('test_states', `SELECT state FROM embedding_model ORDER BY created_at`)).resolves.toEqual([
        { state: 'retired' },
        { state: 'active' },
      ]);
      await clock.advance(8 * DAY_MS);
      await passing(after.keep.execute(never));
      await expect(database.query('test_states_left', `SELECT state FROM embedding_model`)).resolves.toEqual([{ state: 'active' }]);
    } finally {
      await wider.stop();
    }
  });

  it('is measured against what unrelated memories have in common', async () => {
    const memory = await semantic();
    const me = newCaller();
    const words = ['database', 'weather', 'router', 'coffee', 'holiday'];
    for (let n = 0; n < 60; n += 1) await memory.write.execute(me, note(`${words[n % words.length]} ${n}`));
    await clock.advance(61_000);
    await passing(memory.keep.execute(never));
    const [{ floor } = { floor: undefined }] = (await memory.read.stats(me)).models;
    expect(floor).toBeGreaterThan(0);
    expect(floor).toBeLessThanOrEqual(0.9);
  });
});

describe('ranking', () => {
  it('with decay lowers the order and not the score; an evergreen memory stays (33)', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('coffee beans old'));
    await memory.write.execute(me, note('coffee beans rule', { evergreen: true }));
    await clock.advance(30 * DAY_MS);
    await memory.write.execute(me, note('coffee beans new'));
    const plainly = await ask(memory, me, 'beans', { mode: 'text' });
    const decayed = await ask(memory, me, 'beans', { mode: 'text', decay: true });
    const by = (answer: typeof decayed) => new Map(answer.hits.map((hit) => [hit.content, hit]));
    expect(by(decayed).get('coffee beans old')).toMatchObject({ score: 0.8, rankScore: expect.closeTo(0.6, 5) });
    expect(by(decayed).get('coffee beans rule')?.rankScore).toBeCloseTo(0.8, 9);
    expect(by(decayed).get('coffee beans new')?.rankScore).toBeCloseTo(0.8, 9);
    expect(decayed.hits.at(-1)?.content).toBe('coffee beans old');
    expect(new Set(decayed.hits.map(({ id }) => id))).toEqual(new Set(plainly.hits.map(({ id }) => id)));
  });

  it('with importance prefers what matters, within a tenth', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('beans a', { importance: 0 }));
    await memory.write.execute(me, note('beans b', { importance: 1 }));
    await memory.write.execute(me, note('beans c'));
    const { hits } = await ask(memory, me, 'beans', { mode: 'text', importance: true });
    expect(hits.map(({ content, rankScore }) => [content, rankScore])).toEqual([
      ['beans b', expect.closeTo(0.88, 6)],
      ['beans c', expect.closeTo(0.8, 6)],
      ['beans a', expect.closeTo(0.72, 6)],
    ]);
  });

  it('with MMR does not say the same ten times (32)', async () => {
    for (const kind of ['vectors', 'words'] as const) {
      const memory = await semantic();
      const me = newCaller();
      for (let n = 0; n < 10; n += 1) await memory.write.execute(me, note(`the router in the cellar restarts at night ${n}`));
      for (const other of ['the router has a coffee stain', 'the router is insured for holiday damage', 'the router slows down in bad weather']) {
        await memory.write.execute(me, note(other));
      }
      if (kind === 'vectors') await drain(memory);
      const mode = kind === 'vectors' ? 'auto' : 'text';
      const diverse = await ask(memory, me, 'the router', { k: 4, mmr: true, minScore: 0, mode });
      expect(diverse.order).toBe('mmr');
      const topics = (hits: typeof diverse.hits) => new Set(hits.map(({ content }) => (content.includes('cellar') ? 'cellar' : content)));
      expect(topics(diverse.hits).size).toBeGreaterThanOrEqual(3);
      await expect(ask(memory, me, 'the router', { k: 4, minScore: 0, mode })).resolves.toMatchObject({ order: 'score' });
    }
  });

  it('is paged by cursors that are prefixes of one list, and that nobody can make up (14)', async () => {
    const memory = await semantic();
    const me = newCaller();
    for (let n = 0; n < 23; n += 1) await memory.write.execute(me, note(`beans ${'extra '.repeat(n % 5)}${n}`));
    await drain(memory);
    const all = await ask(memory, me, 'beans extra', { k: 50, minScore: 0 });
    expect(all).toMatchObject({ exhausted: true });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await ask(memory, me, 'beans extra', { k: 5, minScore: 0, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.hits.map(({ id }) => id));
      cursor = page.nextCursor;
      expect(page.exhausted).toBe(cursor === undefined);
      // What is written meanwhile is none of this list's business.
      await clock.advance(10);
      await memory.write.execute(me, note(`beans extra late ${seen.length}`));
    } while (cursor !== undefined);
    expect(seen).toEqual(all.hits.map(({ id }) => id));
    const { nextCursor } = await ask(memory, me, 'beans extra', { k: 5, minScore: 0 });
    for (const wrong of [`${nextCursor}x`, 'abc', 'a.b'])
      await expect(ask(memory, me, 'beans extra', { k: 5, minScore: 0, cursor: wrong })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(ask(memory, me, 'beans', { k: 5, minScore: 0, cursor: nextCursor as string })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('revisions', () => {
  it('only the newest is found; history and the past are told when asked for (21)', async () => {
    const memory = await semantic();
    const me = newCaller();
    clock = new FakeClock(Date.parse('2026-01-10T00:00:00Z'));
    const past = memoryOn(database, clock, settings());
    const first = await past.write.execute(me, note('住在北京', { kind: 'fact', metadata: { about: 'home' } }));
    await clock.advance(150 * DAY_MS);
    const second = await past.write.update(me, first.id, { content: '住在上海' });
    expect(second).toMatchObject({ result: 'created' });
    const found = await ask(past, me, '住在', { mode: 'text' });
    expect(found.hits.map(({ content, rev, kind, metadata }) => [content, rev, kind, metadata])).toEqual([['住在上海', 2, 'fact', { about: 'home' }]]);
    const history = await ask(past, me, '住在', { mode: 'text', includeHistory: true });
    expect(new Map(history.hits.map(({ content, supersededBy }) => [content, supersededBy]))).toEqual(
      new Map([
        ['住在上海', undefined],
        ['住在北京', second.id],
      ]),
    );
    const march = await ask(past, me, '住在', { mode: 'text', asOf: '2026-03-01T00:00:00Z' });
    expect(march.hits.map(({ content }) => content)).toEqual(['住在北京']);
    await expect(past.write.update(me, first.id, { content: '住在广州' })).rejects.toMatchObject({ code: 'CONFLICT', details: { supersededBy: second.id } });
    await expect(past.write.update(newCaller(), second.id, { content: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(past.read.list(me, { limit: 10 })).resolves.toMatchObject({ memories: [{ id: second.id }] });
    await expect(past.read.list(me, { limit: 10, includeHistory: true })).resolves.toMatchObject({ memories: [{ id: second.id }, { id: first.id }] });
    // What was replaced may be said again.
    await expect(memory.write.execute(me, note('住在北京', { kind: 'fact' }))).resolves.toMatchObject({ result: 'created' });
  });

  it('what is not true yet, or no longer, is not found', async () => {
    const memory = await semantic();
    const me = newCaller();
    await memory.write.execute(me, note('office in Berlin', { validTo: '2026-11-20T00:00:00Z' }));
    await memory.write.execute(me, note('office in Hamburg', { validFrom: '2026-12-01T00:00:00Z' }));
    await expect(ask(memory, me, 'office', { mode: 'text' })).resolves.toMatchObject({ hits: [] });
    await clock.advance(11 * DAY_MS);
    await expect(ask(memory, me, 'office', { mode: 'text' })).resolves.toMatchObject({ hits: [{ content: 'office in Hamburg' }] });
  });
});

it('without pgvector everything goes by words and says so (30)', async () => {
  const { database: bare, close: closeBare } = await (plain as (typeof BACKENDS)[number]).open();
  try {
    const memory = memoryOn(bare, clock, settings());
    await memory.models.register();
    const me = newCaller();
    await expect(memory.write.execute(me, note('alpha'))).resolves.toMatchObject({ embedding: 'none' });
    await expect(memory.keep.execute(never)).resolves.toBe(0);
    await expect(ask(memory, me, 'alpha')).resolves.toMatchObject({ mode: 'text', degraded: 'vector_extension_missing', hits: [{ content: 'alpha' }] });
  } finally {
    await closeBare();
  }
});
