// The embedded default, PGlite in this process on a directory of its own (it runs without fsync: what is committed survives the process, not a power cut):
// a search of 10,000 memories against what somebody would write by hand for the same question, and an acknowledged write against a bare prepared insert of
// the same row. 100,000 are left out: there is no index over vectors here, and a scope of that size belongs on Postgres. `MEMORIES`: another number.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openPglite } from '@plexus/database/pglite';
import { bareSearches } from './bare-searches.ts';
import { against, ratesAgainst } from './in-turns.ts';
import { BenchMemory, me, questionOf } from './memory-set-up.ts';

const MEMORIES = Number(process.env.MEMORIES ?? 10_000);
const QUESTIONS = 20;

const folder = mkdtempSync(path.join(tmpdir(), 'plexus-bench-'));
const database = await openPglite(path.join(folder, 'data'), { schema: 'memory' });
try {
  const memory = await BenchMemory.on(database);
  await memory.fill(MEMORIES);
  await memory.createBareTable();
  const ours = { name: 'PGlite: write of a memory, acknowledged', run: () => memory.writeFresh() };
  const insert = { name: 'PGlite: bare prepared insert of the same row', run: () => memory.bareInsert() };
  await against(ours, [insert], ['<= 2'], 100);
  await ratesAgainst(ours, insert, 32, '>= 0.5', 300);

  const questions = Array.from({ length: QUESTIONS }, (_, n) => questionOf(n));
  const ask = (mode: 'text' | 'auto') => (n: number) => memory.search.execute(me, { query: questions[n % QUESTIONS] as string, k: 10, minScore: 0.15, mode });
  const bare = await bareSearches(memory, questions);
  const words = { name: `PGlite, ${MEMORIES} memories: ranked full-text statement`, run: bare.byWords };
  const both = { name: `PGlite, ${MEMORIES} memories: the same question by hand`, run: bare.byBoth };
  const vectors = { name: `PGlite, ${MEMORIES} memories: nearest ten vectors alone`, run: bare.byVectors };
  await against({ name: `PGlite, ${MEMORIES} memories: search by words`, run: ask('text') }, [words], ['<= 1.3'], QUESTIONS);
  await against({ name: `PGlite, ${MEMORIES} memories: search by words and vectors`, run: ask('auto') }, [both, words, vectors], ['<= 1.3'], QUESTIONS);
} finally {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
}
