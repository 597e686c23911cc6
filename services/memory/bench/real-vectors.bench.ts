// How many of the nearest an index (HNSW) finds among vectors of a real embedding model: of sentences that people wrote, asked for by others of them. So few
// are never searched by the index in service: it is asked here directly. Vectors are kept in `cache/`, making them takes 20 to 50 ms each. `SENTENCES`: how
// many. Skipped, with a line that says so, where the model or a Postgres with pgvector could not be fetched.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createPool, migrate } from '@plexus/database';
import { systemClock } from '@plexus/kernel';
import { embeddingModel, pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import { OpenAiEmbedder } from '../dist/src/adapters/embedding/openai-embedder.js';
import { PostgresMemoryReader } from '../dist/src/adapters/postgres/memory-reader.js';
import { VectorTables } from '../dist/src/adapters/postgres/vector-tables.js';
import { toVectorText } from '../dist/src/adapters/postgres/vector-text.js';
import { cosine } from '../dist/src/domain/embedding/model.js';
import { print } from './in-turns.ts';
import { readmeSentences } from './readme-sentences.ts';

const SENTENCES = Number(process.env.SENTENCES ?? 2_000);
const QUESTIONS = 200;
const TENANT = 'bench';

const model = embeddingModel();
const binaries = pgvectorBinaries();
if (model === undefined || binaries === undefined) {
  print('real vectors: skipped, there is no embedding model or no Postgres with pgvector', 'runs', [0]);
  process.exit(0);
}
const vectors = await vectorsOf(readmeSentences(SENTENCES + QUESTIONS));
// Spread over all packages, so that questions and answers are of the same kind.
const every = Math.floor(vectors.length / QUESTIONS);
const questions = vectors.filter((_, n) => n % every === 0).slice(0, QUESTIONS);
const held = vectors.filter((_, n) => n % every !== 0);

const server = await startTestPostgres({ binaries });
const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'bench', max: 4, statementTimeoutMs: 60_000 });
try {
  await migrate({ database, schema: 'memory', directory: path.join(import.meta.dirname, '../prisma/migrations') });
  const tables = new VectorTables(database, systemClock);
  await tables.vectorExtension();
  const dimensions = held[0]?.length ?? 0;
  await tables.register({ id: 'bench:real', provider: 'openai-compat', name: 'real', dimensions, kind: 'semantic' }, 'active', new Date());
  const table = (await tables.models(true))[0]?.table as string;
  for (let from = 0; from < held.length; from += 1_000) {
    const some = held.slice(from, from + 1_000);
    const ids = some.map((_, n) => `mem_${from + n}`);
    await database.query(
      'bench_memories',
      `INSERT INTO memory (tenant_id, id, scope_kind, scope_id, kind, content, content_mac, match_mac, lex, lex_version, source, created_at)
       SELECT $1, id, 'user', 'me', 'note', id, sha256(id::bytea), sha256(id::bytea), '', 1, '{}', now() FROM unnest($2::text[]) AS id`,
      [TENANT, ids],
    );
    await database.query(
      'bench_vectors',
      `INSERT INTO ${table} (tenant_id, memory_id, chunk_no, rev, e) SELECT $1, one.id, 0, 1, one.e::halfvec FROM unnest($2::text[], $3::text[]) AS one (id, e)`,
      [TENANT, ids, some.map(toVectorText)],
    );
  }
  await database.script('ANALYZE');
  await tables.buildIndex('bench:real');
  await tables.measureIndex('bench:real', TENANT, new Date());
  const measured = (await tables.models(true))[0]?.recalls.get(TENANT)?.recall ?? 0;
  print(`${held.length} real vectors: recall@10 of the index as the service measures it`, 'of the nearest ten', [measured]);

  // Even where so few would rather be sorted.
  await database.script('ALTER SYSTEM SET enable_sort = off');
  await database.script('ALTER SYSTEM SET enable_seqscan = off');
  await database.query('bench_reload', 'SELECT pg_reload_conf()');
  const reader = new PostgresMemoryReader(database);
  const filter = { visible: [{ kind: 'user', id: 'me', owner: '' }], matchMac: Buffer.alloc(32), now: new Date(), includeHistory: false } as const;
  let found = 0;
  for (const question of questions) {
    const near = await reader.candidates(TENANT, filter, [], { table, vector: question, scan: 'hnsw' });
    const own = near.map(({ id }) => cosine(held[Number(id.slice(4))] as Float32Array, question)).sort((a, b) => b - a);
    const best = held.map((vector) => cosine(vector, question)).sort((a, b) => b - a);
    found += own.slice(0, 10).filter((one) => one >= (best[9] as number) - 1e-4).length;
  }
  print(`${held.length} real vectors, ${questions.length} other sentences: recall@10 of the index`, 'of the nearest ten', [found / (10 * questions.length)], {
    goal: '>= 0.95',
  });
} finally {
  await database.close();
  await server.stop();
}

/** In the order of the texts; those that were made before are read. */
async function vectorsOf(texts: readonly string[]): Promise<Float32Array[]> {
  const file = path.join(import.meta.dirname, '../../../cache/readme-vectors.json');
  const known = new Map<string, string>(existsSync(file) ? Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : []);
  const lacking = texts.filter((text) => !known.has(text)).sort((a, b) => a.length - b.length);
  if (lacking.length > 0) {
    const running = await (model as NonNullable<typeof model>).start();
    const { baseUrl, model: name, dimensions } = running;
    const embedder = new OpenAiEmbedder({ baseUrl, model: name, dimensions, maxBatch: 32, concurrency: 1, timeoutMs: 60_000 });
    for (let from = 0; from < lacking.length; from += 32) {
      const some = lacking.slice(from, from + 32);
      const made = await embedder.embed(some, 'document', new AbortController().signal);
      for (const [n, vector] of made.entries())
        if (vector instanceof Float32Array) known.set(some[n] as string, Buffer.from(vector.slice().buffer).toString('base64'));
      if (from % 640 === 0) process.stderr.write(`${from} of ${lacking.length} vectors made\n`);
    }
    await running.stop();
    writeFileSync(file, JSON.stringify(Object.fromEntries(known)));
  }
  return texts.flatMap((text) => {
    const made = known.get(text);
    return made === undefined ? [] : new Float32Array(new Uint8Array(Buffer.from(made, 'base64')).buffer);
  });
}
