import { fileURLToPath } from 'node:url';
import { type Database, migrate } from '@plexus/database';
import { openPglite } from '@plexus/database/pglite';
import { type Clock, systemClock, ulid } from '@plexus/kernel';
import { Embedders, type EmbedderSettings } from '../dist/src/adapters/embedding/embedders.js';
import { PostgresEmbeddingStore } from '../dist/src/adapters/postgres/embedding-store.js';
import { PostgresLinkStore } from '../dist/src/adapters/postgres/link-store.js';
import { PostgresMemoryReader } from '../dist/src/adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from '../dist/src/adapters/postgres/memory-retention.js';
import { PostgresMemoryWriter } from '../dist/src/adapters/postgres/memory-writer.js';
import { PostgresLexicon } from '../dist/src/adapters/postgres/postgres-lexicon.js';
import { PostgresSingleRunner } from '../dist/src/adapters/postgres/single-runner.js';
import { PostgresTenantKeys } from '../dist/src/adapters/postgres/tenant-keys.js';
import { inTenant } from '../dist/src/adapters/postgres/tenant-transaction.js';
import { TrigramSpelling } from '../dist/src/adapters/postgres/trigram-spelling.js';
import { VectorTables } from '../dist/src/adapters/postgres/vector-tables.js';
import { EmbedMemories } from '../dist/src/application/embed-memories.js';
import { EmbeddingModels } from '../dist/src/application/embedding-models.js';
import { KeepEmbeddings } from '../dist/src/application/keep-embeddings.js';
import { SearchMemories } from '../dist/src/application/search-memories.js';
import { WriteMemory } from '../dist/src/application/write-memory.js';
import type { EvalMemory as Statement } from './dataset.ts';
import { Random } from './random.ts';

export const SYSTEMS = ['random', 'ILIKE', 'lexical', 'vector', 'RRF', 'ours'] as const;
export type SystemName = (typeof SYSTEMS)[number];

const me = { tenant: 'eval', user: 'me', privileged: false, credential: 'eval' };
const ILIKE = `
  SELECT id FROM memory WHERE tenant_id = $1 AND superseded_at IS NULL AND content ILIKE '%' || $2 || '%' ORDER BY created_at DESC, id DESC LIMIT $3`;

/** Memory as the service wires it, on PGlite and without NATS, with what it is compared with beside it. */
export class EvalMemory {
  readonly #ids = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  readonly #random = new Random(7);
  #aheadMs = 0;
  readonly #clock: Clock;
  readonly #write: WriteMemory;
  readonly #search: SearchMemories;
  readonly #keep: KeepEmbeddings;
  readonly #models: EmbeddingModels;
  readonly model: string;
  readonly dimensions: number;
  readonly semantic: boolean;

  private readonly database: Database;

  // Fields are assigned by hand: Node runs this file as it is, and knows no parameter properties.
  private constructor(database: Database, settings: EmbedderSettings) {
    this.database = database;
    // A minute passes when the set is complete: by then the service makes the vectors that are missing.
    const now = () => systemClock.now() + this.#aheadMs;
    this.#clock = {
      now,
      monotonic: () => systemClock.monotonic(),
      // What is measured is how well it finds: a search waits for the vector of its query as long as a busy machine needs.
      setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms * 50),
      sleep: (ms, signal) => systemClock.sleep(ms, signal),
    };
    const keys = new PostgresTenantKeys(database);
    const vectors = new VectorTables(database, this.#clock);
    const store = new PostgresEmbeddingStore(database);
    const retention = new PostgresMemoryRetention(database);
    const embedders = new Embedders(settings, this.#clock);
    const fail = (error: unknown) => {
      throw error;
    };
    this.#models = new EmbeddingModels(vectors, store, retention, vectors, embedders.configured, (model) => embedders.serve(model), this.#clock);
    this.#keep = new KeepEmbeddings(
      this.#models,
      store,
      new EmbedMemories(store, keys, this.#clock),
      retention,
      new PostgresSingleRunner(database, 'eval'),
      this.#clock,
      fail,
    );
    const reader = new PostgresMemoryReader(database);
    const writer = new PostgresMemoryWriter(
      database,
      (_tenant, { memoryId }) => ({ subject: 'eval', msgId: memoryId, body: Buffer.from('') }),
      () => () => [],
      () => undefined,
    );
    this.#write = new WriteMemory(writer, reader, keys, this.#models, this.#clock, () => ulid());
    this.#search = new SearchMemories(reader, keys, this.#models, this.#clock, {
      lexicon: new PostgresLexicon(database),
      links: new PostgresLinkStore(database),
      spelling: new TrigramSpelling(database, this.#clock),
    });
    this.model = embedders.configured?.model.id ?? 'none';
    this.dimensions = embedders.configured?.model.dimensions ?? 0;
    this.semantic = embedders.configured?.model.kind === 'semantic';
  }

  static async open(settings: EmbedderSettings): Promise<EvalMemory> {
    const database = await openPglite('memory://', { schema: 'memory' });
    await migrate({ database, schema: 'memory', directory: fileURLToPath(new URL('../prisma/migrations', import.meta.url)) });
    return new EvalMemory(database, settings);
  }

  /** How many can be found: replaced ones cannot. */
  get visible(): number {
    return this.#keys.size;
  }

  /** Stores all and waits for the vector of the last one. */
  async fill(statements: readonly Statement[]): Promise<void> {
    await this.#models.register();
    for (const { key, content, replaces } of statements) {
      const old = replaces === undefined ? undefined : this.#ids.get(replaces);
      const { id } =
        old === undefined ? await this.#write.execute(me, { content, kind: 'note', namespace: '' }) : await this.#write.update(me, old, { content });
      this.#ids.set(key, id);
      this.#keys.set(id, key);
      if (old !== undefined) this.#keys.delete(old);
    }
    this.#aheadMs = 120_000;
    await this.#keep.execute(new AbortController().signal);
  }

  /** Keys of the best `k`, best first. Only `ours` leaves out what is below the default score. */
  async search(system: SystemName, text: string, k: number): Promise<string[]> {
    if (system === 'random') return this.#random.shuffled([...this.#keys.values()]).slice(0, k);
    if (system === 'ILIKE') {
      const rows = await inTenant(this.database, me.tenant, (tx) => tx.query<{ id: string }>('eval_ilike', ILIKE, [me.tenant, text, k]));
      return rows.map(({ id }) => this.#keys.get(id) as string);
    }
    const options = {
      lexical: { mode: 'text', minScore: 0 },
      vector: { mode: 'vector', minScore: 0 },
      RRF: { orderBy: 'rrf', minScore: 0 },
      ours: { minScore: 0.15 },
    } as const;
    const { hits, model, degraded } = await this.#search.execute(me, { query: text, k, ...options[system] });
    // A figure for vectors that were not there would be one of something else.
    if (system !== 'lexical' && this.model !== 'none' && model === undefined) throw new Error(`searched without vectors: ${degraded}`);
    return hits.map(({ id }) => this.#keys.get(id) ?? `replaced ${id}`);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
