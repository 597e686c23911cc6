// What all benchmarks of memory share: the service's own parts on a database, without NATS, filled with notes.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { type Database, migrate } from '@plexus/database';
import { CircuitBreaker, systemClock, ulid } from '@plexus/kernel';
import { PostgresEmbeddingStore } from '../dist/src/adapters/postgres/embedding-store.js';
import { PostgresMemoryReader } from '../dist/src/adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from '../dist/src/adapters/postgres/memory-retention.js';
import { PostgresMemoryWriter } from '../dist/src/adapters/postgres/memory-writer.js';
import { PostgresTenantKeys } from '../dist/src/adapters/postgres/tenant-keys.js';
import { VectorTables } from '../dist/src/adapters/postgres/vector-tables.js';
import { toVectorText } from '../dist/src/adapters/postgres/vector-text.js';
import { Embedding } from '../dist/src/application/embedding.js';
import { EmbeddingModels } from '../dist/src/application/embedding-models.js';
import { SearchMemories } from '../dist/src/application/search-memories.js';
import { WriteMemory } from '../dist/src/application/write-memory.js';
import { localHashEmbedder } from '../dist/src/domain/embedding/local-hash.js';
import type { Embedder } from '../dist/src/domain/embedding/model.js';
import { documentTerms } from '../dist/src/domain/tokeniser.js';

export const me = { tenant: 'bench', user: 'me', privileged: false, credential: 'bench' };
const WORDS =
  'router backup database cellar weather coffee holiday invoice meeting deploy server cable window garden recipe budget train ticket doctor phone'.split(' ');
/** Three of twenty words, a number of 997, one of two Chinese phrases: half of all notes hold one of two words that are asked for. */
const textOf = (n: number): string =>
  `note ${n}: the ${WORDS[n % 20]} and the ${WORDS[(n * 7 + 3) % 20]} of ${WORDS[(n * 13 + 5) % 20]} number ${n % 997} 关于${n % 2 === 0 ? '数据库' : '天气'}的记录`;
export const questionOf = (n: number): string => `${WORDS[n % 20]} ${WORDS[(n * 3 + 1) % 20]} ${(n * 37) % 997}`;

/** Asks for most of what a note says: there is one that fits best. */
export const wishOf = (n: number): string => textOf(n).slice(0, -12);

const progress = (text: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

export class BenchMemory {
  readonly database: Database;
  readonly search: SearchMemories;
  readonly write: WriteMemory;
  readonly models: EmbeddingModels;
  readonly reader: PostgresMemoryReader;
  readonly tables: VectorTables;
  #written = 0;

  private constructor(database: Database, embedder: Embedder) {
    this.database = database;
    const keys = new PostgresTenantKeys(database);
    this.reader = new PostgresMemoryReader(database);
    this.tables = new VectorTables(database, systemClock);
    const store = new PostgresEmbeddingStore(database);
    const embedding = new Embedding(embedder, new CircuitBreaker({ threshold: 5, resetMs: 15_000, clock: systemClock }), systemClock);
    const retention = new PostgresMemoryRetention(database);
    this.models = new EmbeddingModels(
      this.tables,
      store,
      retention,
      this.tables,
      embedder,
      ({ id }) => (id === embedder.model.id ? embedding : undefined),
      systemClock,
    );
    const encode = () => ({ subject: 'bench', msgId: ulid(), body: new Uint8Array(64) });
    const writer = new PostgresMemoryWriter(
      database,
      encode,
      () => () => [encode()],
      () => undefined,
    );
    this.write = new WriteMemory(writer, this.reader, keys, this.models, systemClock, () => ulid());
    this.search = new SearchMemories(this.reader, keys, this.models, systemClock);
  }

  static async on(database: Database, embedder: Embedder = localHashEmbedder(512)): Promise<BenchMemory> {
    await migrate({ database, schema: 'memory', directory: path.join(import.meta.dirname, '../prisma/migrations') });
    const memory = new BenchMemory(database, embedder);
    await memory.models.register();
    return memory;
  }

  /** The next note, never written before. */
  fresh(): string {
    this.#written += 1;
    return textOf(this.#written);
  }

  writeFresh(): Promise<unknown> {
    return this.write.execute(me, { content: this.fresh(), kind: 'note', namespace: '' });
  }

  /** Fills up to `count` notes through the service, many at a time, with their vectors where there is a model. */
  async fill(count: number): Promise<void> {
    progress(`writing ${count} memories`);
    let next = this.#written;
    const one = async (): Promise<void> => {
      while (this.#written < count) {
        await this.writeFresh();
        if (this.#written >= next) {
          progress(`${this.#written} of ${count} written`);
          next += 10_000;
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, one));
    await this.embed();
    progress('analysing');
    await this.database.script('ANALYZE');
  }

  /** What the service does once a minute: indexes, measures what they find, switches to a model that is complete. */
  async maintain(): Promise<void> {
    progress('looking after models and their index');
    await this.models.maintain(new AbortController().signal);
    progress('done');
  }

  /** Vectors of all that is there, in large statements, which the service has no need for. */
  async embed(): Promise<void> {
    for (const record of await this.models.wanted()) {
      const serving = this.models.serving(record);
      if (serving === 'not_served') continue;
      if (typeof serving === 'string') throw new Error(`no vectors: ${serving}`);
      let stored: Promise<unknown> = Promise.resolve();
      for (let after = '', done = 0; ; ) {
        const rows = await this.database.query<{ id: string; content: string }>(
          'bench_lacking',
          'SELECT id, content FROM memory WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT 1000',
          [me.tenant, after],
        );
        if (rows.length === 0) break;
        const vectors = await serving.embedding.ofDocuments(
          rows.map(({ content }) => content),
          new AbortController().signal,
        );
        await stored;
        // The next vectors are made while these are stored.
        stored = this.database.query(
          `bench_vectors_${record.table}`,
          `INSERT INTO ${record.table} (tenant_id, memory_id, chunk_no, rev, e)
           SELECT $1, one.id, 0, 1, one.e::halfvec FROM unnest($2::text[], $3::text[]) AS one (id, e) ON CONFLICT DO NOTHING`,
          [me.tenant, rows.map(({ id }) => id), vectors.map((one) => toVectorText('vector' in one ? one.vector : new Float32Array()))],
        );
        after = rows.at(-1)?.id ?? after;
        done += rows.length;
        if (done % 10_000 === 0) progress(`${done} vectors`);
      }
      await stored;
    }
  }

  /** The query's vector as text, and the table that it is compared in. */
  async vectorOf(query: string): Promise<{ readonly table: string; readonly vector: string }> {
    const serving = await this.models.active();
    if (typeof serving === 'string') throw new Error(serving);
    const vector = await serving.embedding.ofQuery(query, query);
    if (typeof vector === 'string') throw new Error(vector);
    return { table: serving.record.table, vector: toVectorText(vector) };
  }

  /** A table of the same columns, constraints and indexes, without row security. */
  async createBareTable(): Promise<void> {
    await this.database.script('CREATE TABLE bare_memory (LIKE memory INCLUDING ALL)');
  }

  /** What somebody would do without Plexus: the row alone, prepared. */
  bareInsert(): Promise<unknown> {
    const content = this.fresh();
    const mac = createHash('sha256').update(content).digest();
    return this.database.query(
      'bench_insert',
      `INSERT INTO bare_memory (tenant_id, id, scope_kind, scope_id, kind, content, content_mac, match_mac, lex, lex_version, source, created_at)
       VALUES ($1, $2, 'user', 'me', 'note', $3, $4, $4, array_to_tsvector($5::text[]), 1, '{"user":"me","credential":"bench"}', now())`,
      [me.tenant, ulid(), content, mac, documentTerms(content)],
    );
  }
}
