import { randomBytes } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import { createPool, OutboxRelay } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { counter } from '@plexus/telemetry';
import { AdvisoriesController } from './adapters/nats/advisories.controller.js';
import { AttachmentsController } from './adapters/nats/attachments.controller.js';
import { ChannelsController } from './adapters/nats/channels.controller.js';
import { EraseDeadLetters } from './adapters/nats/dead-letter-eraser.js';
import { DeadLettersController } from './adapters/nats/dead-letters.controller.js';
import { encodeOutgoingWith } from './adapters/nats/encode-outgoing.js';
import { ErasureController } from './adapters/nats/erasure.controller.js';
import { RoutesController } from './adapters/nats/routes.controller.js';
import { RoutingController } from './adapters/nats/routing.controller.js';
import { RoutingSettings } from './adapters/nats/routing-settings.js';
import { serveResolve } from './adapters/nats/serve-resolve.js';
import { SessionCareController } from './adapters/nats/session-care.controller.js';
import { SessionEndsController } from './adapters/nats/session-ends.controller.js';
import { EraseSessionStream } from './adapters/nats/session-stream-eraser.js';
import { StreamSessionEvents } from './adapters/nats/stream-session-events.js';
import { migrationsCheck } from './adapters/postgres/migrations.js';
import { PostgresAttachments } from './adapters/postgres/postgres-attachments.js';
import { PostgresMaintenance } from './adapters/postgres/postgres-maintenance.js';
import { PostgresStore } from './adapters/postgres/postgres-store.js';
import { PrismaCatalogue } from './adapters/postgres/prisma-catalogue.js';
import { AcceptInbound } from './application/accept-inbound.js';
import { AcceptMessage } from './application/accept-message.js';
import { AnswerChannel } from './application/answer-channel.js';
import { CancelRun } from './application/cancel-run.js';
import { CloseRun } from './application/close-run.js';
import { ConfirmSteer } from './application/confirm-steer.js';
import { DeliverSends } from './application/deliver-sends.js';
import { DeliveryLoop } from './application/delivery-loop.js';
import { ErasePerson } from './application/erase-person.js';
import { ImportSession } from './application/import-session.js';
import { KeepAttachments } from './application/keep-attachments.js';
import { ManagePairings } from './application/manage-pairings.js';
import { InjectMessages } from './application/inject-messages.js';
import { ManageSessions } from './application/manage-sessions.js';
import { MigrateKeys } from './application/migrate-keys.js';
import { MirrorSends } from './application/mirror-sends.js';
import { PruneTables } from './application/prune-tables.js';
import { ReadDelivery } from './application/read-delivery.js';
import { ReadSessions } from './application/read-sessions.js';
import { ReleaseDue } from './application/release-due.js';
import { ReleaseNextRun } from './application/release-next-run.js';
import { SendMessage } from './application/send-message.js';
import { SessionAccess } from './application/session-access.js';
import { ShareSessions } from './application/share-sessions.js';
import { SweepTimeouts } from './application/sweep-timeouts.js';
import { TenantSettings } from './application/tenant-settings.js';
import { WorkLoop } from './application/work-loop.js';
import { configurationModule } from './configuration.module.js';
import type { routingConfig } from './config.js';

type RoutingContext = ServiceContext<ServiceConfig<typeof routingConfig>>;

const sends = counter('deliveries');
const breakers = counter('breakerTransitions');

const MIB = 1024 * 1024;

@Module({
  controllers: [
    RoutingController,
    RoutesController,
    SessionCareController,
    AttachmentsController,
    ChannelsController,
    ErasureController,
    SessionEndsController,
    AdvisoriesController,
    DeadLettersController,
  ],
})
class RoutingModule {}

/** Wires routing: one pool, the use cases on it, the outbox relay and the loops beside them. Replicas share nothing but the database. */
export async function createRouting(context: RoutingContext): Promise<ServiceParts> {
  const { config, log, bus, clock, tenants } = context;
  const newId = () => ulid();
  const now = () => clock.now();
  const ids = { newId, now, random: (count: number) => randomBytes(count) };
  const { database, catalogue } = openDatabase(context);
  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const store = new PostgresStore(database, encodeOutgoingWith(bus), () => relay.kick());
  const maintenance = new PostgresMaintenance(database);
  const events = new StreamSessionEvents(bus);
  const settings = new TenantSettings((tenant) => tenants.snapshot(tenant));
  const configOf = (tenant: string) => tenants.get(tenant);
  const report = (what: string) => (err: unknown) => log.warn({ err }, `${what}; tried again later`);

  const release = new ReleaseNextRun({ messages: config.ROUTING_HISTORY_MESSAGES, bytes: config.ROUTING_HISTORY_BYTES }, clock, (at) => releasing.hurryAt(at));
  const due = new ReleaseDue(store, release, configOf);
  const releasing: WorkLoop = new WorkLoop(() => due.step(), clock, report('collected messages could not be handed out'));
  const delivery = new DeliverSends(store, settings, now, deliveryLimits(config), {
    settled: (channel, outcome, reason = 'none') => sends.add(1, { channel, outcome, reason }),
    breaker: (channel, change) => breakers.add(1, { channel, change }),
    troubled: (sendId, err) => log.error({ err, sendId }, 'a send could not be worked on; it was set aside'),
  });
  const delivering = new DeliveryLoop(() => delivery.step(), clock, report('sends could not be worked on'));
  const hurry = () => delivering.hurry();
  const sweeper = new SweepTimeouts(store, events, clock, newId, report('silent runs could not be looked for'));
  const pruner = new PruneTables(maintenance, () => Object.keys(tenants.platform().tenants), configOf, config.ROUTING_ATTACHMENT_DAYS);
  const pruning = new WorkLoop(() => pruner.round().then(() => false), clock, report('old rows could not be removed'));

  const erasing = new ErasePerson(store, maintenance, new EraseSessionStream(bus), new EraseDeadLetters(bus), ids);
  const leftovers = new WorkLoop(() => erasing.purgeLeftovers(), clock, report('events of people who were erased could not be purged'));

  const answers = new AnswerChannel(newId, now, hurry);
  const accept = new AcceptMessage(store, release, answers, newId, config.ROUTING_QUEUE_LIMIT);
  const injecting = new InjectMessages(store, newId);
  const access = new SessionAccess(store);
  const mirrors = new MirrorSends(store, newId, (err) => log.warn({ err }, 'the session of a send could not be prepared; the message is sent all the same'));
  const inboundLimits = { runTimeoutMs: config.ROUTING_RUN_TIMEOUT_MS, pairingTtlMs: config.ROUTING_PAIRING_TTL_MS, openPairings: config.ROUTING_PAIRING_OPEN };
  const module: DynamicModule = {
    module: RoutingModule,
    imports: [await configurationModule(context as ServiceContext<never>)],
    providers: [
      { provide: RoutingSettings, useValue: new RoutingSettings(settings, config.ROUTING_RUN_TIMEOUT_MS) },
      { provide: TenantSettings, useValue: settings },
      { provide: AcceptMessage, useValue: accept },
      { provide: AcceptInbound, useValue: new AcceptInbound(store, settings, accept, ids, inboundLimits, hurry) },
      { provide: KeepAttachments, useValue: new KeepAttachments(new PostgresAttachments(database), config.ROUTING_ATTACHMENT_MIB_PER_USER * MIB) },
      { provide: CancelRun, useValue: new CancelRun(store, newId) },
      { provide: InjectMessages, useValue: injecting },
      { provide: ManageSessions, useValue: new ManageSessions(store, newId, (owner, key, work) => injecting.inTurn(owner, key, work)) },
      { provide: ShareSessions, useValue: new ShareSessions(store, newId) },
      { provide: SessionAccess, useValue: access },
      { provide: ReadSessions, useValue: new ReadSessions(store, catalogue) },
      { provide: MigrateKeys, useValue: new MigrateKeys(maintenance) },
      { provide: ImportSession, useValue: new ImportSession(store, newId) },
      { provide: CloseRun, useValue: new CloseRun(store, events, release, answers, configOf, newId) },
      { provide: ConfirmSteer, useValue: new ConfirmSteer(store) },
      { provide: DeliverSends, useValue: delivery },
      { provide: DeliveryLoop, useValue: delivering },
      { provide: MirrorSends, useValue: mirrors },
      { provide: SendMessage, useValue: new SendMessage(store, settings, mirrors, access, ids, hurry) },
      { provide: ReadDelivery, useValue: new ReadDelivery(store, settings, now) },
      { provide: ManagePairings, useValue: new ManagePairings(store) },
      { provide: ErasePerson, useValue: erasing },
    ],
  };
  return {
    module,
    start: async () => {
      const resolving = serveResolve(bus, settings);
      context.onShutdown('listeners', 'routing.resolve', () => resolving.stop());
      relay.start();
      context.onShutdown('consumers', 'outbox relay', () => relay.stop());
      keepRunning(context, 'timeout sweeper', (signal) => sweeper.run(config.ROUTING_SWEEP_INTERVAL_MS, signal));
      keepRunning(context, 'delivery', (signal) => delivering.run(config.ROUTING_SEND_INTERVAL_MS, signal));
      keepRunning(context, 'release of collected messages', (signal) => releasing.run(config.ROUTING_SWEEP_INTERVAL_MS, signal));
      keepRunning(context, 'purging after erasures', (signal) => leftovers.run(config.ROUTING_SWEEP_INTERVAL_MS, signal));
      keepRunning(context, 'retention', (signal) => pruning.run(config.ROUTING_PRUNE_INTERVAL_MS, signal));
    },
  };
}

function openDatabase(context: RoutingContext) {
  const { config, log } = context;
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
  return { database, catalogue };
}

function deliveryLimits(config: RoutingContext['config']) {
  return { threshold: config.ROUTING_BREAKER_THRESHOLD, resetMs: config.ROUTING_BREAKER_RESET_MS, attemptTimeoutMs: config.ROUTING_SEND_TIMEOUT_MS };
}

/** Starts a loop that the shutdown stops and waits for. */
function keepRunning(context: RoutingContext, label: string, run: (signal: AbortSignal) => Promise<void>): void {
  const stop = new AbortController();
  const running = run(stop.signal);
  context.onShutdown('consumers', label, () => {
    stop.abort();
    return running;
  });
}
