// The embedded default, PGlite in one process: a search of 10,000 memories against the statement that it consists of, sent alone and without row security, and
// an acknowledged write against a bare insert of the same columns.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { type Database, migrate, type TransactionOptions, type Tx } from '@plexus/database';
import { openPglite } from '@plexus/database/pglite';
import { systemClock, ulid } from '@plexus/kernel';
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
import { against } from './in-turns.ts';

const MEMORIES = 10_000;
const QUESTIONS = 20;
const me = { tenant: 'bench', user: 'me', privileged: false, credential: 'bench' };
const WORDS =
  'router backup database cellar weather coffee holiday invoice meeting deploy server cable window garden recipe budget train ticket doctor phone'.split(' ');
const text = (n: number): string =>
  `note ${n}: the ${WORDS[n % 20]} and the ${WORDS[(n * 7 + 3) % 20]} of ${WORDS[(n * 13 + 5) % 20]} number ${n % 997} 关于${n % 2 === 0 ? '数据库' : '天气'}的记录`;
const question = (n: number): string => `${WORDS[n % 20]} ${WORDS[(n * 3 + 1) % 20]} ${n % 997}`;

const database = await openPglite('memory://', { schema: 'memory' });
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
/** Statements that choose candidates, as the search sent them: what it is compared with. */
interface Statement {
  readonly name: string;
  readonly text: string;
  readonly params: readonly unknown[] | undefined;
}
let recorded: Statement[] = [];
const recording: Database = Object.assign(Object.create(database) as Database, {
  kind: database.kind,
  schema: database.schema,
  transaction: <T>(fn: (tx: Tx) => Promise<T>, options?: TransactionOptions) =>
    database.transaction(
      (tx) =>
        fn({
          script: (sql) => tx.script(sql),
          query: (name, sql, params) => {
            if (name.startsWith('memory_candidates')) recorded.push({ name, text: sql, params });
            return tx.query(name, sql, params);
          },
        }),
      options,
    ),
});
const replay = ({ name, text: sql, params }: Statement) => database.query(name, sql, params);
const search = new SearchMemories(new PostgresMemoryReader(recording), keys, models, systemClock);
await models.register();
let written = 0;
const fresh = (): string => {
  written += 1;
  return text(written);
};

await database.script('CREATE TABLE bare_memory (LIKE memory INCLUDING ALL)');
const BARE_INSERT = `
  INSERT INTO bare_memory (tenant_id, id, scope_kind, scope_id, kind, content, content_mac, match_mac, lex, lex_version, source, created_at)
  VALUES ($1, $2, 'user', 'me', 'note', $3, $4, $4, array_to_tsvector($5::text[]), 1, '{}', now())`;
await against(
  { name: 'PGlite: write of a memory, acknowledged', run: () => write.execute(me, { content: fresh(), kind: 'note', namespace: '' }) },
  {
    name: 'PGlite: bare insert of the same columns',
    run: () => {
      const content = fresh();
      const mac = createHash('sha256').update(content).digest();
      return database.query('bench_insert', BARE_INSERT, [me.tenant, ulid(), content, mac, documentTerms(content)]);
    },
  },
  '<= 2',
);

while (written < MEMORIES) await write.execute(me, { content: fresh(), kind: 'note', namespace: '' });
await embedAll();
await database.script('ANALYZE');

const ask = (mode: 'text' | 'auto') => (n: number) => search.execute(me, { query: question(n), k: 10, minScore: 0.15, mode });
for (const [mode, what] of [
  ['text', 'by words'],
  ['auto', 'by words and vectors'],
] as const) {
  const statements: Statement[] = [];
  for (let n = 0; n < QUESTIONS; n += 1) {
    recorded = [];
    await ask(mode)(n);
    statements.push(...recorded);
  }
  const bare = { name: `PGlite: its statement alone, ${what}`, run: (n: number) => replay(statements[n % QUESTIONS] as Statement) };
  await against({ name: `PGlite: search of ${MEMORIES} memories ${what}`, run: (n) => ask(mode)(n % QUESTIONS) }, bare, '<= 1.3', QUESTIONS);
}
await database.close();

async function embedAll(): Promise<void> {
  const embed = new EmbedMemories(store, keys, systemClock);
  for (const record of await models.wanted()) {
    const serving = models.serving(record);
    if (typeof serving === 'string') throw new Error(`no vectors: ${serving}`);
    for (let after = ''; ; ) {
      const jobs = await store.missing(me.tenant, record.table, record.model.id, new Date(Date.now() + 1_000), { after, limit: 256 });
      await embed.execute(jobs, record, serving.embedding, new AbortController().signal);
      after = jobs.at(-1)?.memoryId ?? after;
      if (jobs.length < 256) break;
    }
  }
}
