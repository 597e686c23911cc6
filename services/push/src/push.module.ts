import { type DynamicModule, Module } from '@nestjs/common';
import { pushContracts, routingContracts } from '@plexus/contracts';
import { createPool, migrationsFolderOf, OutboxRelay, requireMigrations } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { ErasureController } from './adapters/nats/erasure.controller.js';
import { EventsController } from './adapters/nats/events.controller.js';
import { InboxController } from './adapters/nats/inbox.controller.js';
import { LiveHints } from './adapters/nats/live-hints.js';
import { Patience } from './adapters/nats/patience.js';
import { type EncodeDelivered, PostgresDecisionLedger } from './adapters/postgres/decision-ledger.js';
import { PostgresInboxStore } from './adapters/postgres/inbox-store.js';
import { PersonEraser } from './adapters/postgres/person-eraser.js';
import { PostgresSeenEvents } from './adapters/postgres/seen-events.js';
import { PostgresSubscriptionIndex } from './adapters/postgres/subscription-index.js';
import { DecideEvent } from './application/decide-event.js';
import { PruneSeenEvents } from './application/prune-seen-events.js';
import { ReadInbox } from './application/read-inbox.js';
import { LogEntries } from './adapters/nats/log-entries.js';
import type { pushConfig } from './config.js';
import { wireDeciding } from './wiring/deciding.wiring.js';
import { wireDelivering } from './wiring/delivering.wiring.js';
import { wireManaging } from './wiring/managing.wiring.js';
import type { PushBasis } from './wiring/part.js';
import { wirePolicies } from './wiring/policies.wiring.js';
import { wireTriggers } from './wiring/triggers.wiring.js';

@Module({ controllers: [EventsController, InboxController, ErasureController] })
class PushModule {}

/** Wires push: one pool, the use cases on it, the outbox relay and the pruning beside them. */
export async function createPush(context: ServiceContext<ServiceConfig<typeof pushConfig>>): Promise<ServiceParts> {
  const { config, log, bus, clock } = context;
  const database = createPool({
    url: config.DATABASE_URL,
    schema: config.PUSH_DATABASE_SCHEMA,
    applicationName: context.instanceId,
    max: config.PUSH_DATABASE_CONNECTIONS,
    log,
  });
  context.onShutdown('database', 'pool', () => database.close());
  await requireMigrations(database, migrationsFolderOf(import.meta.url));
  context.readiness('database', () => database.ping().then(() => true));

  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const encodeDelivered: EncodeDelivered = (tenant, fact, time) => {
    const { msgId = fact.deliveryId, ...event } = bus.encodeEvent(pushContracts.delivered, { tenant, key: [fact.user], data: fact, id: fact.deliveryId, time });
    return { ...event, msgId };
  };
  const hints = new LiveHints(bus, (err) => log.debug({ err }, 'an inbox hint could not be sent; gateways notice by the heads'));
  const ledger = new PostgresDecisionLedger(
    database,
    () => ulid(),
    encodeDelivered,
    () => relay.kick(),
  );
  const pruning = new PruneSeenEvents(new PostgresSeenEvents(database), clock, (err) =>
    log.warn({ err }, 'old sightings could not be pruned; tried again later'),
  );

  const eraser = new PersonEraser(
    database,
    (tenant, erasureId, user, counts) => {
      const data = { erasureId, user, service: 'push', counts: { ...counts }, at: new Date(clock.now()).toISOString() };
      const id = `erased:push:${erasureId}`;
      const { msgId = id, ...event } = bus.encodeEvent(routingContracts.userErased, { tenant, key: [erasureId], data, id, time: data.at });
      return { ...event, msgId };
    },
    () => relay.kick(),
  );
  const stopping = new AbortController();
  context.onShutdown('listeners', 'waiting messages', () => stopping.abort());

  const basis: PushBasis = {
    context,
    database,
    relay,
    log: new LogEntries((contract, event) => bus.encodeEvent(contract, event)),
    stopping: stopping.signal,
  };
  const parts = [wireDeciding(basis), wireManaging(basis), wirePolicies(basis), wireDelivering(basis), wireTriggers(basis)];
  const module: DynamicModule = {
    module: PushModule,
    controllers: parts.flatMap(({ controllers }) => controllers),
    providers: [
      ...parts.flatMap(({ providers }) => providers),
      { provide: DecideEvent, useValue: new DecideEvent(new PostgresSubscriptionIndex(database), ledger, hints) },
      { provide: PersonEraser, useValue: eraser },
      { provide: ReadInbox, useValue: new ReadInbox(new PostgresInboxStore(database), clock, () => ulid()) },
      { provide: Patience, useValue: new Patience(clock, (err, attempt) => logWait(context, err, attempt), stopping.signal) },
    ],
  };
  return {
    module,
    start: async () => {
      relay.start();
      for (const part of parts) await part.start?.();
      const pruned = pruning.run(stopping.signal);
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
      context.onShutdown('consumers', 'pruning', () => pruned);
    },
  };
}

/** Says it when an outage begins and then rarely: sixteen waiting messages must not fill the log. */
function logWait({ log }: Pick<ServiceContext, 'log'>, err: unknown, attempt: number): void {
  if (attempt === 1 || attempt % 30 === 0) log.warn({ err, attempt }, 'the database is unavailable; events wait');
}
