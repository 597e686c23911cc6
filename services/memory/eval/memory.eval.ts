// `npm run eval -- memory [--seed dev]`: how well searches find, measured on a generated set with the embedder that MEMORY_EMBEDDER and
// MEMORY_EMBEDDING_* name (local-hash unless told otherwise). Held-out figures go to docs/quality-memory.md; those of the development seed are
// only shown. Figures against a stand-in for a model say nothing about any model: do not publish them.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { embedderSettings, memoryConfig } from '../dist/src/config.js';
import { generate, QUERY_KINDS, SEEDS } from './dataset.ts';
import { EvalMemory, SYSTEMS, type SystemName } from './eval-memory.ts';
import { ndcg, recallAll, recallAny, reciprocalRank } from './metrics.ts';
import { type Measured, report, summary } from './report.ts';

const K = 10;
const dev = process.argv.includes('dev');
const seed = dev ? SEEDS.dev : SEEDS['held-out'];

const config = memoryConfig.parse({ MEMORY_DATABASE_URL: 'pglite:memory://', ...process.env });
const { memories, queries } = generate(seed);
const memory = await EvalMemory.open(embedderSettings(config));
try {
  process.stdout.write(`${memories.length} memories, ${queries.length} queries, seed ${seed}, embedder ${memory.model}\n`);
  await memory.fill(memories);
  const measured = new Map<SystemName, Measured[]>();
  for (const system of SYSTEMS) {
    const results: Measured[] = [];
    for (const query of queries) {
      const ranked = await memory.search(system, query.text, K);
      results.push({
        kind: query.kind,
        recall1: recallAny(ranked, query.gold, 1),
        recall5: recallAny(ranked, query.gold, 5),
        recall10: recallAll(ranked, query.gold, K),
        ndcg: ndcg(ranked, query.gold),
        mrr: reciprocalRank(ranked, query.gold),
        returned: ranked.length / Math.min(K, memory.visible),
      });
    }
    measured.set(system, results);
    process.stdout.write(`${summary(system, results)}\n`);
  }
  const conditions = {
    seed,
    seedName: dev ? 'dev' : 'held-out',
    model: memory.model,
    semantic: memory.semantic,
    dimensions: memory.dimensions,
    memories: memory.visible,
    queries: queries.length,
    k: K,
  };
  const page = report(conditions, measured, QUERY_KINDS);
  if (dev) process.stdout.write(`\n${page}`);
  else {
    const file = fileURLToPath(new URL('../../../docs/quality-memory.md', import.meta.url));
    writeFileSync(file, page);
    process.stdout.write('docs/quality-memory.md is written.\n');
  }
} finally {
  await memory.close();
}
