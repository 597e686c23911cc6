// 100,000 memories in one scope on a real Postgres with pgvector: a search against what somebody would write by hand for the same question, how many of the
// ten nearest it finds, and whether all rows come back; with the vectors of `local-hash`, which have no index, and with vectors around topics, which have
// one (HNSW). Took five and a half minutes at a load of 15 on two cores. Skipped, with a line that says so, where no Postgres with pgvector could be
// fetched. `MEMORIES`: another number.
import { createPool } from '@plexus/database';
import { pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import { bareSearches } from './bare-searches.ts';
import { clusteredVectors } from './clustered-vectors.ts';
import { against, print } from './in-turns.ts';
import { BenchMemory, me, questionOf } from './memory-set-up.ts';

const MEMORIES = Number(process.env.MEMORIES ?? 100_000);
const TIMED = 5;
const ROUNDS = 3;
const QUESTIONS = Array.from({ length: 15 }, (_, n) => questionOf(n));

const binaries = pgvectorBinaries();
if (binaries === undefined) {
  print('100,000 memories: skipped, there is no Postgres with pgvector', 'runs', [0]);
  process.exit(0);
}
const server = await startTestPostgres({ binaries });
const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'bench', max: 8, pipelined: true, statementTimeoutMs: 60_000 });
try {
  const hashed = await BenchMemory.on(database);
  await database.script(`ALTER SYSTEM SET maintenance_work_mem = '512MB'`);
  await database.query('bench_reload', 'SELECT pg_reload_conf()');
  await took('written and given vectors, 64 in flight', () => hashed.fill(MEMORIES));
  await hashed.maintain();
  await searches(hashed, 'vectors of local-hash');

  const clustered = await BenchMemory.on(database, clusteredVectors);
  await took('given vectors around topics', () => clustered.embed());
  await database.script('ANALYZE');
  await took('index over vectors built and its recall measured, model switched', () => clustered.maintain());
  for (const { recalls } of await clustered.tables.models(true)) {
    for (const { recall } of recalls.values()) print(`${MEMORIES} memories: recall@10 of the index as the service measures it`, 'of the nearest ten', [recall]);
  }
  await searches(clustered, 'vectors around topics');
  // Statistics of an idle connection are written within seconds: that it was the index that answered must show there.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const [asked] = await database.query<{ times: number }>(
    'bench_asked',
    `SELECT sum(idx_scan)::int AS times FROM pg_stat_user_indexes WHERE indexrelname LIKE '%hnsw'`,
  );
  print(`${MEMORIES} memories: the index was asked`, 'times', [asked?.times ?? 0]);
} finally {
  await database.close();
  await server.stop();
}

async function took(what: string, run: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  await run();
  print(`${MEMORIES} memories: ${what}`, 's', [(performance.now() - startedAt) / 1_000]);
}

async function searches(memory: BenchMemory, what: string): Promise<void> {
  const name = (text: string) => `${MEMORIES} memories, ${what}: ${text}`;
  const ask = (mode: 'text' | 'auto', n: number) => memory.search.execute(me, { query: QUESTIONS[n % QUESTIONS.length] as string, k: 10, minScore: 0, mode });
  const bare = await bareSearches(memory, QUESTIONS);
  const { vectorScan } = await ask('auto', 0);
  // By hand either every vector that may be seen is compared, or the index is asked: the same as the search does.
  await database.script('SET hnsw.ef_search = 200');
  const exact = vectorScan === 'exact';
  const both = {
    name: name(exact ? 'the same question by hand' : 'by hand, filtered after the nearest 200 of all'),
    run: exact ? bare.byBoth : bare.filteredLater,
  };
  const words = { name: name('ranked full-text statement'), run: bare.byWords };
  await against({ name: name('search by words'), run: (n) => ask('text', n) }, [words], ['<= 1.3'], TIMED, ROUNDS);
  await against({ name: name(`search by words and vectors (${vectorScan})`), run: (n) => ask('auto', n) }, [both], ['<= 1.3'], TIMED, ROUNDS);
  const recalls: number[] = [];
  const returned: number[] = [];
  for (const [n, question] of QUESTIONS.entries()) {
    returned.push((await ask('auto', n)).hits.length / 10);
    recalls.push(await recallOf(memory, question));
  }
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  print(name(`recall@10 (${vectorScan})`), 'of the nearest ten', [mean(recalls)], { goal: '>= 0.95' });
  print(name('rows returned'), 'of ten', [mean(returned)], { goal: '>= 1' });
}

/** Share of the ten nearest, found by looking at all, that are as near as the ten of the search; texts that are equally far count alike. */
async function recallOf(memory: BenchMemory, query: string): Promise<number> {
  const { table, vector } = await memory.vectorOf(query);
  const exact = await memory.database.query<{ distance: number }>(
    `bench_exact_${table}`,
    `SELECT (v.e <=> $2::halfvec) + 0 AS distance FROM ${table} v WHERE v.tenant_id = $1 ORDER BY distance LIMIT 10`,
    [me.tenant, vector],
  );
  const { hits } = await memory.search.execute(me, { query, k: 10, minScore: 0, mode: 'vector', explain: true });
  const farthest = (exact.at(-1)?.distance ?? 0) + 1e-6;
  return hits.filter(({ explain }) => 1 - (explain?.cos ?? -1) <= farthest).length / exact.length;
}
