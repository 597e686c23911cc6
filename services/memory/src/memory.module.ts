import { type DynamicModule, Module } from '@nestjs/common';
import { memoryContracts } from '@plexus/contracts';
import { OutboxRelay } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { MemoriesController } from './adapters/nats/memories.controller.js';
import { WriteCommandsController } from './adapters/nats/write-commands.controller.js';
import { PostgresMemoryReader } from './adapters/postgres/memory-reader.js';
import { PostgresMemoryRetention } from './adapters/postgres/memory-retention.js';
import { type EncodeWritten, PostgresMemoryWriter } from './adapters/postgres/memory-writer.js';
import { openDatabase } from './adapters/postgres/open-database.js';
import { PostgresTenantKeys } from './adapters/postgres/tenant-keys.js';
import { PostgresVectorSupport } from './adapters/postgres/vector-support.js';
import { ReadMemories } from './application/read-memories.js';
import { SearchMemories } from './application/search-memories.js';
import { SweepMemories } from './application/sweep-memories.js';
import { WriteMemory } from './application/write-memory.js';
import { mayMigrate, type memoryConfig } from './config.js';

@Module({ controllers: [MemoriesController, WriteCommandsController] })
class MemoryModule {}

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
  const reader = new PostgresMemoryReader(database);
  const writer = new PostgresMemoryWriter(database, encodeWritten, () => relay.kick());
  const keys = new PostgresTenantKeys(database);
  const vectors = new PostgresVectorSupport(database, clock);
  const sweeping = new SweepMemories(new PostgresMemoryRetention(database), clock, (err) => log.warn({ err }, 'sweeping failed; tried again later'));
  const stopping = new AbortController();
  context.onShutdown('listeners', 'sweeper', () => stopping.abort());

  const module: DynamicModule = {
    module: MemoryModule,
    providers: [
      { provide: WriteMemory, useValue: new WriteMemory(writer, keys, clock, () => ulid()) },
      { provide: SearchMemories, useValue: new SearchMemories(reader, keys, vectors, clock) },
      { provide: ReadMemories, useValue: new ReadMemories(reader, writer, vectors, clock) },
    ],
  };
  return {
    module,
    start: async () => {
      relay.start();
      const swept = sweeping.run(stopping.signal);
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
      context.onShutdown('consumers', 'sweeper', () => swept);
      return { backend: database.kind };
    },
  };
}
