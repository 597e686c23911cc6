// A search of 10,000 memories against a bare full-text statement on the same rows, and a write against a bare insert of the same columns, in turns on one
// real Postgres; with vectors where a Postgres with pgvector could be fetched.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { createPool, migrate } from '@plexus/database';
import { systemClock, ulid } from '@plexus/kernel';
import { pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import { Embedders } from '../dist/src/adapters/embedding/embedders.js';
import { PostgresEmbeddingStore } from '../dist/src/adapters/postgres/embedding-store.js';
import { PostgresMemoryReader } from '../dist/src/adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from '../dist/src/adapters/postgres/memory-retention.js';
import { PostgresMemoryWriter } from '../dist/src/adapters/postgres/memory-writer.js';
import { PostgresTenantKeys } from '../dist/src/adapters/postgres/tenant-keys.js';
import { VectorTables } from '../dist/src/adapters/postgres/vector-tables.js';
import { EmbedMemories } from '../dist/src/application/embed-memories.js';
import { EmbeddingModels } from '../dist/src/application/embedding-models.js';
import { SearchMemories } from '../dist/src/application/search-memories.js';
import { WriteMemory } from '../dist/src/application/write-memory.js';
import { documentTerms } from '../dist/src/domain/tokeniser.js';

const MEMORIES = 10_000;
const ROUNDS = 5;
const PER_ROUND = 60;
const me = { tenant: 'bench', user: 'me', privileged: false, credential: 'bench' };
const WORDS =
  'router backup database cellar weather coffee holiday invoice meeting deploy server cable window garden recipe budget train ticket doctor phone'.split(' ');

function print(name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}): number {
  const sorted = values.map((value) => Math.round(value * 1_000) / 1_000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: values.length, ...rest })}\n`);
  return median;
}

/** Median of one round, in milliseconds. */
async function p50(operation: (n: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < PER_ROUND; n += 1) {
    const startedAt = performance.now();
    await operation(n);
    times.push(performance.now() - startedAt);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
}

/** Both sides in turns, so that drift of the machine hits them alike. */
async function against(ours: string, bare: string, goal: string, a: (n: number) => Promise<unknown>, b: (n: number) => Promise<unknown>): Promise<void> {
  const figures: { ours: number; bare: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const one = { ours: await p50(a), bare: await p50(b) };
    if (round > 0) figures.push(one); // the first warms up
  }
  print(
    `${ours}, p50`,
    'ms',
    figures.map((one) => one.ours),
  );
  print(
    `${bare}, p50`,
    'ms',
    figures.map((one) => one.bare),
  );
  print(
    `${ours} / ${bare}`,
    '×',
    figures.map((one) => one.ours / one.bare),
    { ratioTo: bare, goal },
  );
}

const text = (n: number): string =>
  `note ${n}: the ${WORDS[n % 20]} and the ${WORDS[(n * 7 + 3) % 20]} of ${WORDS[(n * 13 + 5) % 20]} number ${n % 997} 关于${n % 2 === 0 ? '数据库' : '天气'}的记录`;
const question = (n: number): string => `${WORDS[n % 20]} ${WORDS[(n * 3 + 1) % 20]} ${n % 997}`;

const binaries = pgvectorBinaries();
const server = await startTestPostgres(binaries === undefined ? {} : { binaries });
const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'bench', max: 4 });
try {
  await migrate({ database, schema: 'memory', directory: path.join(import.meta.dirname, '../prisma/migrations') });
  const keys = new PostgresTenantKeys(database);
  const reader = new PostgresMemoryReader(database);
  const vectors = new VectorTables(database, systemClock);
  const store = new PostgresEmbeddingStore(database);
  const embedders = new Embedders({ kind: 'local-hash', dimensions: 512 }, systemClock);
  const retention = new PostgresMemoryRetention(database);
  const models = new EmbeddingModels(vectors, store, retention, vectors, embedders.configured, (model) => embedders.serve(model), systemClock);
  const encode = () => ({ subject: 'bench', msgId: ulid(), body: new Uint8Array(64) });
  const writer = new PostgresMemoryWriter(
    database,
    encode,
    () => () => [encode()],
    () => undefined,
  );
  const write = new WriteMemory(writer, reader, keys, models, systemClock, () => ulid());
  const search = new SearchMemories(reader, keys, models, systemClock);
  await models.register();
  for (let n = 0; n < MEMORIES; n += 1) await write.execute(me, { content: text(n), kind: 'note', namespace: '' });
  const embed = new EmbedMemories(store, keys, systemClock);
  for (const record of await models.wanted()) {
    const serving = models.serving(record);
    if (typeof serving === 'string') continue;
    for (let after = ''; ; ) {
      const jobs = await store.missing(me.tenant, record.table, record.model.id, new Date(Date.now() + 1_000), { after, limit: 256 });
      await embed.execute(jobs, record, serving.embedding, new AbortController().signal);
      after = jobs.at(-1)?.memoryId ?? after;
      if (jobs.length < 256) break;
    }
  }
  await database.script('VACUUM ANALYZE');

  // What somebody would write without Plexus: the same terms, ranked by Postgres, ten rows.
  const bare = (n: number) =>
    database.query(
      'bench_bare',
      `SELECT id, content, ts_rank_cd(lex, q) AS rank FROM memory, (SELECT $2::tsquery AS q) q
        WHERE tenant_id = $1 AND scope_kind = 'user' AND scope_id = 'me' AND deleted_at IS NULL AND lex @@ q ORDER BY rank DESC LIMIT 10`,
      [
        me.tenant,
        documentTerms(question(n))
          .map((term) => `'${term}'`)
          .join(' | '),
      ],
    );
  const ask = (mode: 'text' | 'auto') => (n: number) => search.execute(me, { query: question(n), k: 10, minScore: 0.15, mode });
  await against(`search of ${MEMORIES} memories by words`, 'bare ranked full-text statement', '<= 4', ask('text'), bare);
  if (binaries !== undefined)
    await against(`search of ${MEMORIES} memories by words and vectors`, 'bare ranked full-text statement', '<= 6', ask('auto'), bare);

  let written = MEMORIES;
  const fresh = (): string => {
    written += 1;
    return text(written);
  };
  const mac = (content: string) => createHash('sha256').update(content).digest();
  await database.script('CREATE TABLE bare_memory (LIKE memory INCLUDING ALL)');
  await against(
    'write of a memory (tokenised, deduplicated, fact and job in the outbox)',
    'bare insert into the same table',
    '<= 5',
    () => write.execute(me, { content: fresh(), kind: 'note', namespace: '' }),
    () => {
      const content = fresh();
      return database.query(
        'bench_insert',
        `INSERT INTO bare_memory (tenant_id, id, scope_kind, scope_id, kind, content, content_mac, match_mac, lex, lex_version, source, created_at)
         VALUES ($1, $2, 'user', 'me', 'note', $3, $4, $4, array_to_tsvector($5::text[]), 1, '{}', now())`,
        [me.tenant, ulid(), content, mac(content), documentTerms(content)],
      );
    },
  );
} finally {
  await database.close();
  await server.stop();
}
