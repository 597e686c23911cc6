import type { Database } from '@plexus/database';
import { ArchiveDigest } from '@plexus/contracts';
import type { Caller } from '../src/domain/access.js';
import { BACKENDS, type Memory, memoryOn, newCaller, note, pgvectorBackend, query } from './support/backends.js';

const WORDS = ['router', 'backup', '数据库', 'cellar', 'coffee', '天气', 'invoice', 'garden', '会议', 'train'];
const text = (n: number) => `note ${n}: ${WORDS[n % 10]} and ${WORDS[(n * 7 + 3) % 10]} of ${WORDS[(n * 3 + 1) % 10]}, number ${n % 97}`;
/** One real Postgres, with vectors where that can be had. */
const backends = [pgvectorBackend() ?? BACKENDS[1]].flatMap((backend) => backend ?? []);

describe.each(backends)('many memories, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  let memory: Memory;

  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());
  beforeEach(() => {
    memory = memoryOn(database, undefined, { kind: 'local-hash', dimensions: 256 });
  });

  const writeAll = async (me: Caller, count: number) => {
    for (let from = 0; from < count; from += 50) {
      await Promise.all(Array.from({ length: Math.min(50, count - from) }, (_, n) => memory.write.execute(me, note(text(from + n)))));
      await memory.clock.advance(1_000);
    }
  };

  it('two thousand go out and into an empty tenant: ids, times and the ten best of fifty questions are the same (35)', async () => {
    const me = newCaller();
    await writeAll(me, 2_000);
    const lines: string[] = [];
    const digest = new ArchiveDigest();
    let asOf = new Date(0);
    for (let cursor: string | undefined; ; ) {
      const page = await memory.exporting.execute(me, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      lines.push(...page.lines);
      ({ asOf, nextCursor: cursor } = page);
      if (cursor === undefined) break;
    }
    for (const line of lines) digest.add(line);
    const you = newCaller();
    for (let from = 0; from < lines.length; from += 250) await memory.importing.execute(you, { importId: 'i', from, lines: lines.slice(from, from + 250) });
    const finish = { importId: 'i', from: lines.length, lines: [], manifest: digest.manifest(asOf.toISOString()) };
    await expect(memory.importing.execute(you, finish)).resolves.toMatchObject({ created: 2_000, present: 0, expired: 0 });
    for (let n = 0; n < 50; n += 1) {
      const asked = query(`${WORDS[n % 10]} ${WORDS[(n * 3) % 10]} ${n}`, { k: 10, mode: 'text' });
      const [before, after] = await Promise.all([me, you].map((caller) => memory.search.execute(caller, asked)));
      expect(after?.hits).toEqual(before?.hits);
    }
    const receipt = await memory.purge.execute(me, {});
    expect(receipt.counts).toMatchObject({ memories: 2_000 });
    await expect(memory.read.stats(you)).resolves.toMatchObject({ memories: 2_000 });
  }, 240_000);

  it('thirty tenants with the same sixty texts each see fifty of their own, in every mode (9)', async () => {
    const tenants = Array.from({ length: 30 }, () => newCaller());
    await memory.models.register();
    for (const me of tenants) await writeAll(me, 60);
    const third = tenants[2] as Caller;
    const own = new Set<string>();
    for (let cursor: string | undefined; ; ) {
      const page = await memory.read.list(third, { limit: 200, ...(cursor === undefined ? {} : { cursor }) });
      for (const { id } of page.memories) own.add(id);
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    await memory.clock.advance(61_000);
    if (backend.vectorExtension) for (const job of memory.jobs.splice(0, 5 * 60)) await embed(job);
    const modes = [{ mode: 'text' }, { mode: 'auto' }, { mode: 'auto', typos: true }, { mode: 'auto', includeHistory: true, explain: true }] as const;
    for (const options of [...modes, ...(backend.vectorExtension ? [{ mode: 'vector' } as const] : [])]) {
      const { hits } = await memory.search.execute(third, query('note number', { k: 50, minScore: 0, ...options }));
      expect([options, hits.length]).toEqual([options, 50]);
      expect(hits.every(({ id }) => own.has(id))).toBe(true);
    }
    const { hits } = await memory.search.execute(third, query(':', { k: 50, minScore: 0 }));
    expect(hits.length).toBe(50);
    expect(hits.every(({ id }) => own.has(id))).toBe(true);
  }, 240_000);

  async function embed(job: Memory['jobs'][number]): Promise<void> {
    const serving = await memory.models.byId(job.modelId);
    if (serving !== undefined) await memory.embed.execute([job], serving.record, serving.embedding, new AbortController().signal);
  }
});
