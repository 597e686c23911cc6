// 10,000 memories on a real Postgres: a search against what somebody would write by hand for the same question, and an acknowledged write (tokenised,
// deduplicated, its fact and its job in the outbox) against a bare prepared insert of the same row. With vectors where a Postgres with pgvector could be
// fetched. `MEMORIES` in the environment: another number.
import { createPool } from '@plexus/database';
import { pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import { bareSearches } from './bare-searches.ts';
import { against, ratesAgainst } from './in-turns.ts';
import { BenchMemory, me, questionOf } from './memory-set-up.ts';

const MEMORIES = Number(process.env.MEMORIES ?? 10_000);
const QUESTIONS = 40;

const binaries = pgvectorBinaries();
const server = await startTestPostgres(binaries === undefined ? {} : { binaries });
const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'bench', max: 8, pipelined: true });
try {
  const memory = await BenchMemory.on(database);
  await memory.fill(MEMORIES);
  const questions = Array.from({ length: QUESTIONS }, (_, n) => questionOf(n));
  const ask = (mode: 'text' | 'auto') => (n: number) => memory.search.execute(me, { query: questions[n % QUESTIONS] as string, k: 10, minScore: 0.15, mode });
  const bare = await bareSearches(memory, questions);
  const words = { name: `${MEMORIES} memories: ranked full-text statement`, run: bare.byWords };
  await against({ name: `${MEMORIES} memories: search by words`, run: ask('text') }, [words], ['<= 1.3'], QUESTIONS);
  if (binaries !== undefined) {
    const both = { name: `${MEMORIES} memories: the same question by hand`, run: bare.byBoth };
    const later = { name: `${MEMORIES} memories: by hand, filtered after the nearest 200 of all`, run: bare.filteredLater };
    const vectors = { name: `${MEMORIES} memories: nearest ten vectors alone`, run: bare.byVectors };
    await against({ name: `${MEMORIES} memories: search by words and vectors`, run: ask('auto') }, [both, later, words, vectors], ['<= 1.3'], QUESTIONS);
  }
  await memory.createBareTable();
  const ours = { name: 'write of a memory, acknowledged', run: () => memory.writeFresh() };
  const insert = { name: 'bare prepared insert of the same row', run: () => memory.bareInsert() };
  await against(ours, [insert], ['<= 2'], 100);
  await ratesAgainst(ours, insert, 32, '>= 0.5', 600);
} finally {
  await database.close();
  await server.stop();
}
