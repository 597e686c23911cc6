import { setFlagsFromString } from 'node:v8';
import type { OrderedMessage } from '@plexus/bus';
import { pushContracts, pushDeliveryContracts, pushLogContracts } from '@plexus/contracts';
import type { Database } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { EventsController } from '../adapters/nats/events.controller.js';
import { LiveHints } from '../adapters/nats/live-hints.js';
import { LOG_STREAM, NatsLogFeed } from '../adapters/nats/nats-log-feed.js';
import { type DecisionMessages, PostgresDecidingStore } from '../adapters/postgres/deciding-store.js';
import { type FiredTimer, PostgresDueTimers } from '../adapters/postgres/due-timers.js';
import { PostgresPartitionLeases } from '../adapters/postgres/partition-leases.js';
import { PostgresSeenEvents } from '../adapters/postgres/seen-events.js';
import { type BatchResult, DecideBatch } from '../application/decide-batch.js';
import { Decider } from '../application/decider.js';
import { FanOut } from '../application/fan-out.js';
import { Gathered } from '../application/gathered.js';
import { FireTimers } from '../application/fire-timers.js';
import { AccessEvents } from '../application/matching-hooks.js';
import { MatchEvent } from '../application/match-event.js';
import { Ownership } from '../application/ownership.js';
import { PruneSeenEvents } from '../application/prune-seen-events.js';
import { RememberedStates } from '../application/remembered-states.js';
import { RoomyHeap } from '../application/roomy-heap.js';
import { TellEdits } from '../application/tell-edits.js';
import { createEngine } from '../domain/engine/engine.js';
import type { LogInput, ReasonCode, Verdict } from '../domain/engine/types.js';
import { partitionOf } from '../domain/partition.js';
import { inboxStore } from './delivering.wiring.js';
import { type Matching } from './matching.js';
import type { PushBasis, PushPart } from './part.js';

const decisions = counter('pushDecisions');
/** Nobody waits for the fact that something was delivered; sent one by one they would cost more than the decisions. */
const FACTS_GATHERED_MS = 100;

/** The partitioned decider: leases, log, batches, timers; and the matcher's handlers with the jobs of large audiences. */
export function wireDeciding(basis: PushBasis, { matchEvent, jobs, onJob }: Matching, access: AccessEvents): PushPart {
  const { context, database, hot, urgent, relay, replicas, stopping } = basis;
  const { log, clock, bus, config } = context;
  const remembered = new RememberedStates();
  const hints = new LiveHints(bus, (err) => log.debug({ err }, 'an inbox hint could not be sent; gateways notice by the heads'));
  const edits = new TellEdits(inboxStore(basis), hints, (err) => log.debug({ err }, 'a hint about an edited item could not be sent'));
  const onFault = (input: LogInput, error: unknown) => void reportFault(basis, input, error);

  const feed = new NatsLogFeed({ bus, onArrival: () => decider.wake(), onInvalid: invalid(basis) });
  const engine = createEngine();
  const batchOn = (pool: Database) =>
    new DecideBatch({ engine, store: new PostgresDecidingStore(pool, decisionMessages(basis)), remembered, newEpoch: () => ulid(clock.now()), onFault });
  const ownership = new Ownership({
    owner: context.instanceId,
    partitions: pushLogContracts.PUSH_PARTITIONS,
    leases: new PostgresPartitionLeases(database),
    feed,
    remembered,
    clock,
    leaseMs: config.PUSH_LEASE_MS,
    renewMs: config.PUSH_RENEW_MS,
    settled: () => decider.settled(),
    onChanged: () => decider.wake(),
    onAlive: (count) => replicas.saw(count),
    onFailure: (err) => log.warn({ err }, 'leases of partitions could not be renewed; tried again'),
    onRestarted: () => log.warn('the log of push began anew; what is published into it again is recognised'),
  });
  const dueTimers = new PostgresDueTimers(
    database,
    (timer) => timerMessages(basis, timer),
    () => relay.kick(),
  );
  const timers = new FireTimers(dueTimers, clock, (err) => log.warn({ err }, 'due timers could not be sent; tried again'), config.PUSH_TIMER_POLL_MS);
  const facts = new Gathered(clock, FACTS_GATHERED_MS, () => relay.kick());
  const heap = new RoomyHeap(clock, (percent) => setFlagsFromString(`--heap-growing-percent=${percent}`));
  const decider: Decider = new Decider({
    ownership,
    feed,
    batch: batchOn(hot),
    urgentBatch: batchOn(urgent),
    clock,
    onCommitted: (result) => {
      tell(result, hints);
      heap.note(result.decisions.length);
      for (const { tenant, user, edit } of result.edits) edits.edited({ tenant, user }, edit.deliveryId);
      if (result.commands > 0) relay.kick();
      else if (result.items.length > 0) facts.soon();
      if (result.earliestTimer !== undefined) timers.expect(result.earliestTimer);
    },
    onFailure: (err, attempt) => log.warn({ err, attempt }, 'a batch could not be decided; tried again'),
    onFault,
  });
  const fanOut = new FanOut({ jobs, matching: matchEvent, clock, onError: (err) => log.warn({ err }, 'a part of a large audience waits') });
  onJob(() => fanOut.wake());
  const pruning = new PruneSeenEvents(new PostgresSeenEvents(database), clock, (err) =>
    log.warn({ err }, 'old sightings could not be pruned; tried again later'),
  );
  const lostTimers = { prune: () => dueTimers.findLost().then(() => 0) };
  const finding = new PruneSeenEvents(lostTimers, clock, (err) => log.warn({ err }, 'lost timers could not be looked for; tried again later'), 60_000);

  return {
    controllers: [EventsController],
    providers: [
      { provide: MatchEvent, useValue: matchEvent },
      { provide: AccessEvents, useValue: access },
    ],
    start: () => {
      ownership.start();
      decider.start();
      const loops = [timers.run(stopping), fanOut.run(stopping), pruning.run(stopping), finding.run(stopping)];
      // The batches that have begun are finished before the partitions go to somebody else.
      context.onShutdown('consumers', 'decider', async () => {
        await decider.stop();
        await ownership.stop();
        await feed.stop();
        await edits.settled();
        facts.stop();
        heap.stop();
      });
      context.onShutdown('consumers', 'timers and large audiences', () => Promise.all(loops).then(() => undefined));
    },
  };
}

function decisionMessages({ context: { bus } }: PushBasis): DecisionMessages {
  return {
    delivered: (tenant, fact, time) => bus.encodeEvent(pushContracts.delivered, { tenant, key: [fact.user], data: fact, id: fact.deliveryId, time }),
    deliver: (tenant, command) => {
      const { user, deliveryId, channel, level } = command;
      const id = `${deliveryId}:${channel}:${level}`;
      return bus.encodeEvent(pushDeliveryContracts.deliverCommand, {
        tenant,
        key: [String(partitionOf(tenant, user)), user],
        data: command,
        id,
        msgId: id,
        time: command.decidedAt,
      });
    },
  };
}

/** The same timer sent again (its first input may be lost) is another message; the engine knows that it is the same moment. */
function timerMessages({ log }: PushBasis, { tenant, user, timerId, dueAt, shots }: FiredTimer) {
  const due = dueAt.getTime();
  return log.encoded({ tenant, user, kind: 'timer', id: `${timerId}:${due}:${shots}`, data: { timerId, dueAt: due } });
}

/** After the commit: hints, which may be lost, and counters. */
function tell({ items, decisions: made }: BatchResult, hints: LiveHints): void {
  for (const { tenant, user, item, send } of items) hints.itemAdded(tenant, user, { epoch: send.epoch, offset: send.offset }, item);
  for (const { decision } of made) decisions.add(1, { action: actionOf(decision) });
}

/** How decisions are counted: a small fixed vocabulary, whatever reasons there will be. */
function actionOf({ reason, verdict }: { readonly reason: ReasonCode; readonly verdict: Verdict }): 'deliver' | 'suppress' | 'duplicate' {
  if (reason === 'duplicate_event') return 'duplicate';
  return verdict === 'sent' || verdict === 'inbox' ? 'deliver' : 'suppress';
}

function invalid({ context: { log } }: PushBasis) {
  return (message: OrderedMessage, err: unknown) =>
    log.error({ err, seq: message.seq, subject: message.subject }, 'a message of the log is no input and is passed over');
}

/** Keeps what could not be decided among the dead letters: redriving puts it into the log again. */
async function reportFault({ context: { bus, log } }: PushBasis, input: LogInput, error: unknown): Promise<void> {
  const { tenant, user, kind, seq } = input;
  log.error({ err: error, tenant, user, kind, seq }, 'an input cannot be decided; it is parked');
  try {
    const message = await bus.messageAt(LOG_STREAM, seq);
    if (message === undefined) return;
    const { subject, raw, headers } = message;
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    await bus.park({ subject, raw, headers, stream: LOG_STREAM, seq, consumer: 'push-decider', attempts: 1, code: 'HANDLER_FAILED', reason });
  } catch (err) {
    log.error({ err, tenant, user, seq }, 'what cannot be decided could not be parked; it is still in the log');
  }
}
