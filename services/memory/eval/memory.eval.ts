// `npm run eval -- memory [--seed dev] [--model all-MiniLM-L6-v2]`: how well searches find, measured on a generated set with the embedder that
// MEMORY_EMBEDDER and MEMORY_EMBEDDING_* name (local-hash unless told otherwise) and, with `--model`, once more with the real model that
// tools/setup-embedding-model.mjs fetches. Held-out figures go to docs/quality-memory.md; those of the development seed are only shown. Figures against a
// stand-in for a model say nothing about any model: do not publish them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { embeddingModel } from '@plexus/testing';
import type { EmbedderSettings } from '../dist/src/adapters/embedding/embedders.js';
import { embedderSettings, memoryConfig } from '../dist/src/config.js';
import { generate, QUERY_KINDS, SEEDS } from './dataset.ts';
import { EvalMemory, SYSTEMS, type SystemName } from './eval-memory.ts';
import { ndcg, recallAll, recallAny, reciprocalRank } from './metrics.ts';
import { type Measured, report, summary } from './report.ts';

const K = 10;
const dev = process.argv.includes('dev');
const seed = dev ? SEEDS.dev : SEEDS['held-out'];
const { memories, queries } = generate(seed);

const config = memoryConfig.parse({ MEMORY_DATABASE_URL: 'pglite:memory://', ...process.env });
const pages = [await measure(embedderSettings(config))];
if (process.argv.includes('--model')) pages.push(await measureModel(process.argv[process.argv.indexOf('--model') + 1] ?? ''));
const page = pages.join('\n');
if (dev) process.stdout.write(`\n${page}`);
else {
  const file = fileURLToPath(new URL('../../../docs/quality-memory.md', import.meta.url));
  writeFileSync(file, page);
  process.stdout.write('docs/quality-memory.md is written.\n');
}

async function measureModel(wanted: string): Promise<string> {
  spawnSync(process.execPath, [fileURLToPath(new URL('../../../tools/setup-embedding-model.mjs', import.meta.url))], { stdio: 'inherit' });
  const running = await embeddingModel()?.start();
  if (running === undefined) return `# With a real model\n\nNot measured: ${wanted} could not be fetched where this was written.\n`;
  try {
    if (running.model !== wanted) throw new Error(`there is ${running.model}, not ${wanted || 'one without a name'}`);
    const { baseUrl, model, dimensions } = running;
    return await measure({ kind: 'openai', baseUrl, model, dimensions, maxBatch: 32, concurrency: 1, timeoutMs: 60_000 }, 'The same with a real model');
  } finally {
    await running.stop();
  }
}

async function measure(settings: EmbedderSettings, title?: string): Promise<string> {
  const memory = await EvalMemory.open(settings);
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
    return report(conditions, measured, QUERY_KINDS, title);
  } finally {
    await memory.close();
  }
}
