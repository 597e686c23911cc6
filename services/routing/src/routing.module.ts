import { type DynamicModule, Module } from '@nestjs/common';
import { createPool, OutboxRelay } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { AdvisoriesController } from './adapters/nats/advisories.controller.js';
import { encodeOutgoingWith } from './adapters/nats/encode-outgoing.js';
import { RoutingController } from './adapters/nats/routing.controller.js';
import { RoutingSettings } from './adapters/nats/routing-settings.js';
import { SessionEndsController } from './adapters/nats/session-ends.controller.js';
import { StreamSessionEvents } from './adapters/nats/stream-session-events.js';
import { migrationsCheck } from './adapters/postgres/migrations.js';
import { PostgresStore } from './adapters/postgres/postgres-store.js';
import { PrismaCatalogue } from './adapters/postgres/prisma-catalogue.js';
import { AcceptMessage } from './application/accept-message.js';
import { CancelRun } from './application/cancel-run.js';
import { CloseRun } from './application/close-run.js';
import { ManageSessions } from './application/manage-sessions.js';
import { ReadSessions } from './application/read-sessions.js';
import { ReleaseNextRun } from './application/release-next-run.js';
import { SweepTimeouts } from './application/sweep-timeouts.js';
import { configurationModule } from './configuration.module.js';
import type { routingConfig } from './config.js';

@Module({ controllers: [RoutingController, SessionEndsController, AdvisoriesController] })
class RoutingModule {}

/** Wires routing: one pool, the use cases on it, the outbox relay and the sweeper beside them. Replicas share nothing but the database. */
export async function createRouting(context: ServiceContext<ServiceConfig<typeof routingConfig>>): Promise<ServiceParts> {
  const { config, log, bus, clock, tenants } = context;
  const newId = () => ulid();
  const database = createPool({
    url: config.DATABASE_URL,
    schema: config.ROUTING_DATABASE_SCHEMA,
    applicationName: context.instanceId,
    max: config.ROUTING_DATABASE_CONNECTIONS,
    log,
  });
  const catalogue = new PrismaCatalogue(database.pool, database.schema);
  context.onShutdown('database', 'pool', async () => {
    await catalogue.close();
    await database.close();
  });
  context.readiness('database', () => database.ping().then(() => true));
  context.readiness('migrations', migrationsCheck(database));

  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const store = new PostgresStore(database, encodeOutgoingWith(bus), () => relay.kick());
  const events = new StreamSessionEvents(bus);
  const release = new ReleaseNextRun({ messages: config.ROUTING_HISTORY_MESSAGES, bytes: config.ROUTING_HISTORY_BYTES });
  const sweeper = new SweepTimeouts(store, events, clock, newId, (err) => log.warn({ err }, 'silent runs could not be looked for; tried again later'));

  const module: DynamicModule = {
    module: RoutingModule,
    imports: [await configurationModule(context as ServiceContext<never>)],
    providers: [
      { provide: RoutingSettings, useValue: new RoutingSettings((tenant) => tenants.get(tenant), config.ROUTING_RUN_TIMEOUT_MS) },
      { provide: AcceptMessage, useValue: new AcceptMessage(store, release, newId, config.ROUTING_QUEUE_LIMIT) },
      { provide: CancelRun, useValue: new CancelRun(store, newId) },
      { provide: ManageSessions, useValue: new ManageSessions(store, newId) },
      { provide: ReadSessions, useValue: new ReadSessions(store, catalogue) },
      { provide: CloseRun, useValue: new CloseRun(store, events, release, (tenant) => tenants.get(tenant), newId) },
    ],
  };
  return {
    module,
    start: async () => {
      const stop = new AbortController();
      relay.start();
      const sweeping = sweeper.run(config.ROUTING_SWEEP_INTERVAL_MS, stop.signal);
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
      context.onShutdown('consumers', 'timeout sweeper', () => {
        stop.abort();
        return sweeping;
      });
    },
  };
}
