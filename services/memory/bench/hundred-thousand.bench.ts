// 100,000 memories in one scope on a real Postgres with pgvector and an index over vectors (HNSW): a search against what somebody would write by hand for the
// same question, how many of the ten nearest the index finds, and whether all rows come back. Skipped, with a line that says so, where no Postgres with
// pgvector could be fetched. `MEMORIES`: another number, above 10,000.
import { createPool } from '@plexus/database';
import { pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import { bareSearches } from './bare-searches.ts';
import { against, print } from './in-turns.ts';
import { BenchMemory, me, questionOf, wishOf } from './memory-set-up.ts';

const MEMORIES = Number(process.env.MEMORIES ?? 100_000);
const QUESTIONS = 15;

const binaries = pgvectorBinaries();
if (binaries === undefined) {
  print('100,000 memories: skipped, there is no Postgres with pgvector', 'runs', [0]);
  process.exit(0);
}
const server = await startTestPostgres({ binaries });
const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'bench', max: 8, pipelined: true, statementTimeoutMs: 60_000 });
try {
  const memory = await BenchMemory.on(database);
  await database.script(`ALTER SYSTEM SET maintenance_work_mem = '512MB'`);
  await database.query('bench_reload', 'SELECT pg_reload_conf()');
  const startedAt = performance.now();
  await memory.fill(MEMORIES);
  print(`${MEMORIES} memories: written and given vectors, 64 in flight`, 's', [(performance.now() - startedAt) / 1_000]);
  const indexAt = performance.now();
  await memory.buildIndex();
  print(`${MEMORIES} memories: index over vectors built`, 's', [(performance.now() - indexAt) / 1_000]);

  for (const [what, questions] of [
    ['common words', Array.from({ length: QUESTIONS }, (_, n) => questionOf(n))],
    ['a whole sentence', Array.from({ length: QUESTIONS }, (_, n) => wishOf(n * 4_999 + 17))],
  ] as const) {
    const ask = (mode: 'text' | 'auto', n: number) => memory.search.execute(me, { query: questions[n % QUESTIONS] as string, k: 10, minScore: 0, mode });
    const bare = await bareSearches(memory, questions);
    const words = { name: `${MEMORIES} memories, ${what}: ranked full-text statement`, run: bare.byWords };
    const both = { name: `${MEMORIES} memories, ${what}: by hand, filtered after the nearest 200 of all`, run: bare.filteredLater };
    const vectors = { name: `${MEMORIES} memories, ${what}: nearest ten vectors alone`, run: bare.byVectors };
    await database.script('SET hnsw.ef_search = 200');
    // A whole sentence takes the statement by hand more than a second each time: only what is found is measured of it.
    const timed = what === 'common words';
    if (timed) await against({ name: `${MEMORIES} memories, ${what}: search by words`, run: (n) => ask('text', n) }, [words], ['<= 1.3'], QUESTIONS);
    if (timed)
      await against({ name: `${MEMORIES} memories, ${what}: search by words and vectors`, run: (n) => ask('auto', n) }, [both, vectors], ['<= 1.3'], QUESTIONS);
    const recalls: number[] = [];
    const returned: number[] = [];
    for (let n = 0; n < QUESTIONS; n += 1) {
      const { hits, vectorScan } = await ask('auto', n);
      if (vectorScan !== 'hnsw') throw new Error(`searched by ${vectorScan}`);
      returned.push(hits.length / 10);
      recalls.push(await recallOf(memory, questions[n] as string));
    }
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    print(`${MEMORIES} memories, ${what}: recall@10 of the index`, 'of the nearest ten', [mean(recalls)], { goal: '>= 0.95' });
    print(`${MEMORIES} memories, ${what}: rows returned`, 'of ten', [mean(returned)], { goal: '>= 1' });
  }
} finally {
  await database.close();
  await server.stop();
}

/** Share of the ten nearest, found by looking at all, that are as near as the ten of the index; texts that are equally far count alike. */
async function recallOf(memory: BenchMemory, query: string): Promise<number> {
  const { table, vector } = await memory.vectorOf(query);
  const exact = await memory.database.query<{ distance: number }>(
    'bench_exact',
    `SELECT (v.e <=> $2::halfvec) + 0 AS distance FROM ${table} v WHERE v.tenant_id = $1 ORDER BY distance LIMIT 10`,
    [me.tenant, vector],
  );
  const { hits } = await memory.search.execute(me, { query, k: 10, minScore: 0, mode: 'vector', explain: true });
  const farthest = (exact.at(-1)?.distance ?? 0) + 1e-6;
  return hits.filter(({ explain }) => 1 - (explain?.cos ?? -1) <= farthest).length / exact.length;
}
