import { type DynamicModule, Module } from '@nestjs/common';
import { memoryContracts, routingContracts } from '@plexus/contracts';
import { OutboxRelay } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { gauge } from '@plexus/telemetry';
import { Embedders } from './adapters/embedding/embedders.js';
import { ArchiveController } from './adapters/nats/archive.controller.js';
import { EmbedCommandsController } from './adapters/nats/embed-commands.controller.js';
import { ErasureController } from './adapters/nats/erasure.controller.js';
import { MemoriesController } from './adapters/nats/memories.controller.js';
import { SessionEventsController } from './adapters/nats/session-events.controller.js';
import { SessionsController } from './adapters/nats/sessions.controller.js';
import { SimilarityController } from './adapters/nats/similarity.controller.js';
import { StateController } from './adapters/nats/state.controller.js';
import { PurgeWaitingWrites } from './adapters/nats/waiting-writes.js';
import { WriteCommandsController } from './adapters/nats/write-commands.controller.js';
import { PostgresEmbeddingStore } from './adapters/postgres/embedding-store.js';
import { PostgresImportStage } from './adapters/postgres/import-stage.js';
import { PostgresLexicon } from './adapters/postgres/postgres-lexicon.js';
import { PostgresLinkStore } from './adapters/postgres/link-store.js';
import { PostgresMemoryArchive } from './adapters/postgres/memory-archive.js';
import { PostgresMemoryPurger } from './adapters/postgres/memory-purger.js';
import { PostgresMemoryReader } from './adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from './adapters/postgres/memory-retention.js';
import { type EncodeJobs, type EncodeWritten, PostgresMemoryWriter } from './adapters/postgres/memory-writer.js';
import { openDatabase } from './adapters/postgres/open-database.js';
import { PersonEraser } from './adapters/postgres/person-eraser.js';
import { PostgresSingleRunner } from './adapters/postgres/single-runner.js';
import { PostgresTenantKeys } from './adapters/postgres/tenant-keys.js';
import { TrigramSpelling } from './adapters/postgres/trigram-spelling.js';
import { VectorTables } from './adapters/postgres/vector-tables.js';
import { BackgroundRounds } from './application/background-rounds.js';
import { CompareTexts } from './application/compare-texts.js';
import { EmbedMemories } from './application/embed-memories.js';
import { EmbeddingModels } from './application/embedding-models.js';
import { EmbeddingQueue } from './application/embedding-queue.js';
import { ExportMemories } from './application/export-memories.js';
import { ImportMemories } from './application/import-memories.js';
import { isEndpointAway, KeepEmbeddings } from './application/keep-embeddings.js';
import { LinkNearDuplicates } from './application/link-near-duplicates.js';
import { PurgeMemories } from './application/purge-memories.js';
import { ReadMemories } from './application/read-memories.js';
import { RetokeniseMemories } from './application/retokenise-memories.js';
import { SearchMemories } from './application/search-memories.js';
import { SweepMemories } from './application/sweep-memories.js';
import { WriteMemory } from './application/write-memory.js';
import { embedderSettings, mayMigrate, type memoryConfig } from './config.js';
import { loadKeyWrap } from './master-key.js';
import { wireSessions } from './sessions.wiring.js';

@Module({
  controllers: [
    MemoriesController,
    SessionsController,
    SessionEventsController,
    StateController,
    ArchiveController,
    WriteCommandsController,
    EmbedCommandsController,
    ErasureController,
    SimilarityController,
  ],
})
class MemoryModule {}

const embeddingsWaiting = gauge('embeddingsPending');

/** Wires memory: one database, the use cases on it, the outbox relay and the sweeper beside them. */
export async function createMemory(context: ServiceContext<ServiceConfig<typeof memoryConfig>>): Promise<ServiceParts> {
  const { config, log, bus, clock } = context;
  const database = await openDatabase({
    url: config.MEMORY_DATABASE_URL,
    schema: config.MEMORY_DATABASE_SCHEMA,
    applicationName: context.instanceId,
    connections: config.MEMORY_DATABASE_CONNECTIONS,
    migrate: mayMigrate(config),
    log,
  });
  context.onShutdown('database', 'connections', () => database.close());
  context.readiness('database', () => database.ping().then(() => true));

  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const encodeWritten: EncodeWritten = (tenant, fact, time) => {
    const input = { tenant, key: [fact.memoryId], data: fact, id: fact.memoryId, time };
    const { msgId = fact.memoryId, ...event } = bus.encodeEvent(memoryContracts.memoryWritten, input);
    return { ...event, msgId };
  };
  const encodeJobs =
    (modelId: string): EncodeJobs =>
    ({ tenant, memoryId, rev }, time) => {
      const id = `${memoryId}:${rev}:${modelId}`;
      const { msgId = id, ...event } = bus.encodeEvent(memoryContracts.embedMemoryCommand, {
        tenant,
        key: [memoryId],
        data: { memoryId, rev, modelId },
        id,
        time,
      });
      return [{ ...event, msgId }];
    };
  const kick = () => relay.kick();
  const reader = new PostgresMemoryReader(database);
  const wrap = loadKeyWrap(config);
  const keys = new PostgresTenantKeys(database, wrap);
  const vectors = new VectorTables(database, clock);
  const embeddings = new PostgresEmbeddingStore(database);
  const retention = new PostgresMemoryRetention(database);
  const embedders = new Embedders(embedderSettings(config), clock);
  const models = new EmbeddingModels(vectors, embeddings, retention, vectors, embedders.configured, (model) => embedders.serve(model), clock);
  const embed = new EmbedMemories(embeddings, keys, clock);
  const queue = new EmbeddingQueue(models, embed, clock);
  const writer = new PostgresMemoryWriter(database, encodeWritten, encodeJobs, kick);
  const importing = new ImportMemories(new PostgresImportStage(database), keys, retention, clock);
  const writing = new WriteMemory(writer, reader, keys, models, clock, () => ulid());
  const sessions = wireSessions({ database, clock, config, writing, writer, retention });
  const sweeping = new SweepMemories(retention, clock, (err) => log.warn({ err }, 'sweeping failed; tried again later'), [
    () => importing.sweep(),
    sessions.sweep,
  ]);
  const keeping = new KeepEmbeddings(
    models,
    embeddings,
    embed,
    retention,
    new PostgresSingleRunner(database, 'embeddings'),
    clock,
    (err) => {
      if (isEndpointAway(err)) log.warn({ reason: (err as Error).message }, 'the embedding endpoint is away; searches go by words meanwhile');
      else log.warn({ err }, 'making missing vectors failed; tried again later');
    },
    undefined,
    undefined,
    (memories) => embeddingsWaiting.record(memories),
  );
  const lexicon = new PostgresLexicon(database);
  const links = new PostgresLinkStore(database);
  const spelling = new TrigramSpelling(database, clock);
  const retokenising = new RetokeniseMemories(lexicon, retention, clock);
  const linking = new LinkNearDuplicates(links, models, retention, clock);
  const rounds = new BackgroundRounds(
    [(signal) => retokenising.execute(signal), (signal) => linking.execute(signal)],
    new PostgresSingleRunner(database, 'background'),
    clock,
    (err) => log.warn({ err }, 'work in the background failed; tried again later'),
  );
  const eraser = new PersonEraser(
    database,
    (tenant, erasureId, user, counts) => {
      const data = { erasureId, user, service: 'memory', counts: { ...counts }, at: new Date(clock.now()).toISOString() };
      const id = `erased:memory:${erasureId}`;
      const { msgId = id, ...event } = bus.encodeEvent(routingContracts.userErased, { tenant, key: [erasureId], data, id, time: data.at });
      return { ...event, msgId };
    },
    () => relay.kick(),
  );
  const waiting = new PurgeWaitingWrites(bus);
  const stopping = new AbortController();
  context.onShutdown('listeners', 'sweepers', () => stopping.abort());

  const module: DynamicModule = {
    module: MemoryModule,
    providers: [
      { provide: WriteMemory, useValue: writing },
      ...sessions.providers,
      { provide: SearchMemories, useValue: new SearchMemories(reader, keys, models, clock, { lexicon, links, spelling }) },
      { provide: PersonEraser, useValue: eraser },
      { provide: PurgeWaitingWrites, useValue: waiting },
      { provide: ReadMemories, useValue: new ReadMemories(reader, writer, vectors, models, embeddings, clock, { lexicon, links }) },
      { provide: EmbeddingQueue, useValue: queue },
      { provide: CompareTexts, useValue: new CompareTexts(() => embedders.configured && embedders.serve(embedders.configured.model), clock) },
      { provide: ExportMemories, useValue: new ExportMemories(new PostgresMemoryArchive(database), clock) },
      { provide: ImportMemories, useValue: importing },
      {
        provide: PurgeMemories,
        useValue: new PurgeMemories(new PostgresMemoryPurger(database), waiting, keys, clock, () => ulid()),
      },
    ],
  };
  return {
    module,
    start: async () => {
      if (wrap === undefined) log.warn('there is no master key: the keys of tenants lie open in the database; name one with PLEXUS_MASTER_KEY_FILE');
      const rewrapped = await keys.rewrap();
      if (rewrapped.wrapped + rewrapped.rotated > 0) log.info(rewrapped, 'keys of tenants were wrapped with the master key');
      await models.register();
      const reach = await spelling.reach();
      if (reach === 'latin')
        log.info({ code: 'trgm_unusable_locale' }, 'the locale of the database has no trigrams beyond ASCII: only Latin words are found with typing errors');
      relay.start();
      const swept = Promise.all([sweeping.run(stopping.signal), keeping.run(stopping.signal), rounds.run(stopping.signal)]);
      context.onShutdown('consumers', 'vectors being made', () => queue.stop());
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
      context.onShutdown('consumers', 'sweepers', () => swept.then(() => undefined));
      return { backend: database.kind };
    },
  };
}
