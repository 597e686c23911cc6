import { type DynamicModule, Module } from '@nestjs/common';
import { routingContracts } from '@plexus/contracts';
import { createPool, migrationsFolderOf, OutboxRelay, requireMigrations } from '@plexus/database';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { ErasureController } from './adapters/nats/erasure.controller.js';
import { PersonLog, subjectsOfPerson } from './adapters/nats/person-log.js';
import { Patience } from './adapters/nats/patience.js';
import { PersonEraser } from './adapters/postgres/person-eraser.js';
import type { MatchingHooks } from './application/matching-hooks.js';
import { Replicas } from './application/replicas.js';
import { LogEntries } from './adapters/nats/log-entries.js';
import { NatsLogReader } from './adapters/nats/nats-log-reader.js';
import type { pushConfig } from './config.js';
import { wireDeciding } from './wiring/deciding.wiring.js';
import { wireDelivering } from './wiring/delivering.wiring.js';
import { accessEventsOf, wireManaging } from './wiring/managing.wiring.js';
import { createHotPool, createUrgentPool } from './wiring/hot-pool.js';
import { createMatching } from './wiring/matching.js';
import type { PushBasis, PushPart } from './wiring/part.js';
import { wirePolicies } from './wiring/policies.wiring.js';
import { wireTriggers } from './wiring/triggers.wiring.js';

@Module({ controllers: [ErasureController] })
class PushModule {}

/** Wires push: one pool, the use cases on it, the outbox relay and the pruning beside them. */
export async function createPush(context: ServiceContext<ServiceConfig<typeof pushConfig>>): Promise<ServiceParts> {
  const { config, log, bus, clock } = context;
  const database = createPool({
    url: config.DATABASE_URL,
    schema: config.PUSH_DATABASE_SCHEMA,
    applicationName: context.instanceId,
    max: config.PUSH_DATABASE_CONNECTIONS,
    pipelined: true,
    log,
  });
  const forEvents = { url: config.DATABASE_URL, schema: config.PUSH_DATABASE_SCHEMA, applicationName: context.instanceId, log };
  const [hot, urgent] = [createHotPool(forEvents), createUrgentPool(forEvents)];
  context.onShutdown('database', 'pool', () => Promise.all([database, hot, urgent].map((pool) => pool.close())).then(() => undefined));
  await requireMigrations(database, migrationsFolderOf(import.meta.url));
  context.readiness('database', () => database.ping().then(() => true));

  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const eraser = new PersonEraser(
    database,
    (tenant, erasureId, user, counts) => {
      const data = { erasureId, user, service: 'push', counts: { ...counts }, at: new Date(clock.now()).toISOString() };
      const id = `erased:push:${erasureId}`;
      const { msgId = id, ...event } = bus.encodeEvent(routingContracts.userErased, { tenant, key: [erasureId], data, id, time: data.at });
      return { ...event, msgId };
    },
    () => relay.kick(),
    (tenant, user) => subjectsOfPerson(tenant, user).map(({ subject }) => subject),
  );
  const stopping = new AbortController();
  context.onShutdown('listeners', 'waiting messages', () => stopping.abort());

  const entries = new LogEntries((contract, event) => bus.encodeEvent(contract, event));
  const matching = createMatching(context, { database, hot, urgent }, entries);
  const basis: PushBasis = {
    context,
    database,
    hot,
    urgent,
    relay,
    log: entries,
    reader: new NatsLogReader(bus, ({ seq }, err) => log.debug({ err, seq }, 'a message of the log is no input and is left out of a replay')),
    candidates: matching.matchEvent,
    replicas: new Replicas(),
    stopping: stopping.signal,
  };
  const triggers: PushPart & MatchingHooks = wireTriggers(basis);
  matching.use(triggers);
  const parts = [wireDeciding(basis, matching, accessEventsOf(basis)), wireManaging(basis), wirePolicies(basis), wireDelivering(basis), triggers];
  const module: DynamicModule = {
    module: PushModule,
    controllers: parts.flatMap(({ controllers }) => controllers),
    providers: [
      { provide: PersonEraser, useValue: eraser },
      { provide: PersonLog, useValue: new PersonLog(bus) },
      { provide: Patience, useValue: new Patience(clock, (err, attempt) => logWait(context, err, attempt), stopping.signal) },
      ...parts.flatMap(({ providers }) => providers),
    ],
  };
  return {
    module,
    start: async () => {
      relay.start();
      for (const part of parts) await part.start?.();
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
    },
  };
}

/** Says it when an outage begins and then rarely: sixteen waiting messages must not fill the log. */
function logWait({ log }: Pick<ServiceContext, 'log'>, err: unknown, attempt: number): void {
  if (attempt === 1 || attempt % 30 === 0) log.warn({ err, attempt }, 'the database is unavailable; events wait');
}
