import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPool, type Database, migrate } from '@plexus/database';
import { FakeClock, ulid } from '@plexus/kernel';
import { createTestDatabase, openTestPglite, pgvectorBinaries, startTestPostgres } from '@plexus/testing';
import type { KeyWrap } from '../../src/adapters/crypto/key-wrap.js';
import { PostgresImportStage } from '../../src/adapters/postgres/import-stage.js';
import { PostgresLexicon } from '../../src/adapters/postgres/postgres-lexicon.js';
import { PostgresLinkStore } from '../../src/adapters/postgres/link-store.js';
import { PostgresMemoryArchive } from '../../src/adapters/postgres/memory-archive.js';
import { PostgresMemoryPurger } from '../../src/adapters/postgres/memory-purger.js';
import { PostgresMemoryReader } from '../../src/adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from '../../src/adapters/postgres/memory-retention.js';
import { PostgresMemoryWriter, type WrittenFact } from '../../src/adapters/postgres/memory-writer.js';
import { PostgresTenantKeys } from '../../src/adapters/postgres/tenant-keys.js';
import { TrigramSpelling } from '../../src/adapters/postgres/trigram-spelling.js';
import { VectorTables } from '../../src/adapters/postgres/vector-tables.js';
import { Embedders, type EmbedderSettings } from '../../src/adapters/embedding/embedders.js';
import { PostgresEmbeddingStore } from '../../src/adapters/postgres/embedding-store.js';
import { PostgresSingleRunner } from '../../src/adapters/postgres/single-runner.js';
import { EmbedMemories } from '../../src/application/embed-memories.js';
import { EmbeddingModels } from '../../src/application/embedding-models.js';
import { ExportMemories } from '../../src/application/export-memories.js';
import { ImportMemories } from '../../src/application/import-memories.js';
import { KeepEmbeddings } from '../../src/application/keep-embeddings.js';
import type { EmbeddingJob } from '../../src/application/ports.js';
import { LinkNearDuplicates } from '../../src/application/link-near-duplicates.js';
import { PurgeMemories } from '../../src/application/purge-memories.js';
import { ReadMemories } from '../../src/application/read-memories.js';
import { SearchMemories, type SearchRequest } from '../../src/application/search-memories.js';
import { SweepMemories } from '../../src/application/sweep-memories.js';
import { WriteMemory, type WriteRequest } from '../../src/application/write-memory.js';
import type { Caller } from '../../src/domain/access.js';

export const migrationsFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../prisma/migrations');

export interface Backend {
  readonly name: 'pglite' | 'postgres' | 'postgres with pgvector';
  readonly vectorExtension: boolean;
  /** Whether pg_trgm is there; the package with pgvector comes without. */
  readonly trigrams: boolean;
  open(): Promise<{ readonly database: Database; close(): Promise<void> }>;
}

/** A real Postgres with pgvector, a server of its own each time; undefined where there is none. */
export function pgvectorBackend(): Backend | undefined {
  const binaries = pgvectorBinaries();
  if (binaries === undefined) return undefined;
  return {
    name: 'postgres with pgvector',
    vectorExtension: true,
    trigrams: false,
    open: async () => {
      const server = await startTestPostgres({ binaries, fsync: false });
      const database = createPool({ url: server.url(), schema: 'memory', applicationName: 'memory-test', max: 8, pipelined: true });
      await migrate({ database, schema: 'memory', directory: migrationsFolder });
      return {
        database,
        close: async () => {
          await database.close();
          await server.stop();
        },
      };
    },
  };
}

/** The suite runs on each: embedded, and a Postgres without pgvector. The long tier puts others in their place. */
export const BACKENDS: Backend[] = [
  {
    name: 'pglite',
    vectorExtension: true,
    trigrams: true,
    open: async () => {
      const database = await openTestPglite(migrationsFolder, 'memory');
      return { database, close: () => database.close() };
    },
  },
  {
    name: 'postgres',
    vectorExtension: false,
    trigrams: true,
    open: async () => {
      const test = await createTestDatabase(migrationsFolder, 'memory');
      const database = createPool({ url: test.url, schema: 'memory', applicationName: 'memory-test', max: 8, pipelined: true });
      return {
        database,
        close: async () => {
          await database.close();
          await test.drop();
        },
      };
    },
  },
];

/** Memory without NATS: the use cases on one database, with a clock that the test moves. */
export interface Memory {
  readonly clock: FakeClock;
  readonly write: WriteMemory;
  readonly search: SearchMemories;
  readonly read: ReadMemories;
  readonly sweep: SweepMemories;
  readonly facts: WrittenFact[];
  readonly models: EmbeddingModels;
  readonly embed: EmbedMemories;
  readonly keep: KeepEmbeddings;
  readonly embeddings: PostgresEmbeddingStore;
  readonly keys: PostgresTenantKeys;
  readonly reader: PostgresMemoryReader;
  readonly retention: PostgresMemoryRetention;
  readonly lexicon: PostgresLexicon;
  readonly link: LinkNearDuplicates;
  readonly exporting: ExportMemories;
  readonly importing: ImportMemories;
  readonly purge: PurgeMemories;
  /** Scopes whose waiting writes were purged, as `<tenant> <kind>:<id>`, with ` by <user>` where others' were spared. */
  readonly purgedScopes: string[];
  /** Jobs that were put into the outbox, with their model. */
  readonly jobs: (EmbeddingJob & { readonly modelId: string })[];
}

export function memoryOn(
  database: Database,
  clock = new FakeClock(Date.parse('2026-11-21T10:00:00Z')),
  embedder: EmbedderSettings = { kind: 'none' },
  wrap?: KeyWrap,
): Memory {
  const facts: WrittenFact[] = [];
  const encode = (tenant: string, fact: WrittenFact) => {
    facts.push(fact);
    return { subject: `plexus.evt.${tenant}.memory.written.v1.${fact.memoryId}`, msgId: fact.memoryId, body: Buffer.from(JSON.stringify(fact)) };
  };
  const jobs: (EmbeddingJob & { readonly modelId: string })[] = [];
  const encodeJobs = (modelId: string) => (job: EmbeddingJob) => {
    jobs.push({ ...job, modelId });
    const id = `${job.tenant}:${job.memoryId}:${job.rev}:${modelId}`;
    return [{ subject: `plexus.cmd.${job.tenant}.memory.embed.v1.${job.memoryId}`, msgId: id, body: Buffer.from(id) }];
  };
  const reader = new PostgresMemoryReader(database);
  const writer = new PostgresMemoryWriter(database, encode, encodeJobs, () => undefined);
  const keys = new PostgresTenantKeys(database, wrap);
  const vectors = new VectorTables(database, clock);
  const embeddings = new PostgresEmbeddingStore(database);
  const retention = new PostgresMemoryRetention(database);
  const embedders = new Embedders(embedder, clock);
  const models = new EmbeddingModels(vectors, embeddings, retention, vectors, embedders.configured, (model) => embedders.serve(model), clock);
  const embed = new EmbedMemories(embeddings, keys, clock);
  const fail = (error: unknown) => {
    throw error;
  };
  const purgedScopes: string[] = [];
  const waiting = {
    purge: async (tenant: string, { kind, id }: { kind: string; id: string }, user?: string) => {
      purgedScopes.push(`${tenant} ${kind}:${id}${user === undefined ? '' : ` by ${user}`}`);
      return 0;
    },
  };
  const lexicon = new PostgresLexicon(database);
  const links = new PostgresLinkStore(database);
  const importing = new ImportMemories(new PostgresImportStage(database), keys, retention, clock);
  return {
    clock,
    facts,
    keys,
    reader,
    retention,
    lexicon,
    link: new LinkNearDuplicates(links, models, retention, clock, 0),
    purgedScopes,
    importing,
    exporting: new ExportMemories(new PostgresMemoryArchive(database), clock),
    purge: new PurgeMemories(new PostgresMemoryPurger(database), waiting, keys, clock, () => ulid()),
    jobs,
    models,
    embed,
    embeddings,
    keep: new KeepEmbeddings(models, embeddings, embed, retention, new PostgresSingleRunner(database, 'test'), clock, fail, 60_000, 0),
    write: new WriteMemory(writer, reader, keys, models, clock, () => ulid()),
    search: new SearchMemories(reader, keys, models, clock, { lexicon, links, spelling: new TrigramSpelling(database, clock) }),
    read: new ReadMemories(reader, writer, vectors, models, embeddings, clock, { lexicon, links }),
    sweep: new SweepMemories(retention, clock, fail, [() => importing.sweep()]),
  };
}

let tenants = 0;
/** A tenant of its own for each test, so that tests share one database. */
export function newCaller(rest: Partial<Caller> = {}): Caller {
  tenants += 1;
  return { tenant: `t${tenants}`, user: 'me', privileged: false, credential: 'test', ...rest };
}

export const note = (content: string, rest: Partial<WriteRequest> = {}): WriteRequest => ({ content, kind: 'note', namespace: '', ...rest });
export const query = (text: string, rest: Partial<SearchRequest> = {}): SearchRequest => ({ query: text, k: 10, minScore: 0.15, ...rest });
