import { counter } from '@plexus/telemetry';
import { ulid } from '@plexus/kernel';
import { DeliveringController } from '../adapters/nats/delivering.controller.js';
import { InboxController } from '../adapters/nats/inbox.controller.js';
import { LiveHints } from '../adapters/nats/live-hints.js';
import { PostgresAttemptBook } from '../adapters/postgres/attempt-book.js';
import { PostgresContactDirectory } from '../adapters/postgres/contact-directory.js';
import { PostgresInboxRetention } from '../adapters/postgres/inbox-retention.js';
import { PostgresInboxStore } from '../adapters/postgres/inbox-store.js';
import { limitsOf, shareOf } from '../application/channel-settings.js';
import { DeliverItem } from '../application/deliver-item.js';
import type { InboxInput, Owner } from '../application/ports.js';
import { PruneOld } from '../application/prune-old.js';
import { ReadInbox } from '../application/read-inbox.js';
import { channelSet } from './channels.wiring.js';
import type { PushBasis, PushPart } from './part.js';

const DAY_MS = 86_400_000;

/** Channels outside the inbox, and the states of its items. */
export function wireDelivering(basis: PushBasis): PushPart {
  const { context, database } = basis;
  const { clock, log } = context;
  const { channels, providers } = channelSet(basis);
  const attempts = new PostgresAttemptBook(database);
  const directory = new PostgresContactDirectory(database);
  const sends = counter('pushSends');
  const deliver = new DeliverItem({
    providers,
    attempts,
    items: directory,
    contacts: directory,
    limitsOf: (tenant, channel) => shareOf(limitsOf(channels, tenant, channel), basis.replicas.alive),
    clock,
    onAttempt: ({ tenant, deliveryId, channel, level }, outcome, error) => {
      sends.add(1, { channel, outcome });
      if (outcome === 'refused' || outcome === 'gone') log.warn({ tenant, deliveryId, channel, level, outcome, error }, 'a delivery was refused for good');
      else log.debug({ tenant, deliveryId, channel, level, outcome, error }, 'a delivery was attempted');
    },
  });
  const hints = new LiveHints(context.bus, (err) => log.debug({ err }, 'a hint about changed items could not be sent'));
  return {
    controllers: [DeliveringController, InboxController],
    providers: [
      { provide: DeliverItem, useValue: deliver },
      { provide: PostgresAttemptBook, useValue: attempts },
      { provide: ReadInbox, useValue: new ReadInbox(inboxStore(basis), hints, clock, () => ulid()) },
    ],
    start: () => {
      const pruned = pruning(basis, attempts).run(basis.stopping);
      context.onShutdown('consumers', 'pruning of inboxes', () => pruned);
    },
  };
}

/** Inboxes whose changes are told to the log. */
export function inboxStore({ database, log, relay }: Pick<PushBasis, 'database' | 'log'> & { readonly relay: { kick(): void } }): PostgresInboxStore {
  return new PostgresInboxStore(
    database,
    (owner, input) => encodeInput(log, owner, input),
    () => relay.kick(),
  );
}

function encodeInput(log: PushBasis['log'], { tenant, user }: Owner, input: InboxInput) {
  // Each change is a change: what touches nothing tells nothing, so no two of these say the same.
  const id = ulid();
  return input.kind === 'ack'
    ? log.encoded({ tenant, user, kind: 'ack', id, data: { deliveryId: input.deliveryId, by: user } })
    : log.encoded({ tenant, user, kind: 'read', id, data: { deliveryIds: [...input.deliveryIds], state: input.state } });
}

function pruning({ context: { config, clock, log }, database }: PushBasis, attempts: PostgresAttemptBook): PruneOld {
  const retention = new PostgresInboxRetention(database);
  const kept = [
    { keptMs: config.PUSH_INBOX_DAYS * DAY_MS, prune: (before: Date, limit: number) => retention.pruneItems(before, limit) },
    { keptMs: config.PUSH_DECISION_DAYS * DAY_MS, prune: (before: Date, limit: number) => retention.pruneDecisions(before, limit) },
    { keptMs: config.PUSH_DECISION_DAYS * DAY_MS, prune: (before: Date, limit: number) => retention.pruneSilences(before, limit) },
    { keptMs: config.PUSH_ATTEMPT_DAYS * DAY_MS, prune: (before: Date, limit: number) => attempts.prune(before, limit) },
  ];
  return new PruneOld(kept, clock, (err) => log.warn({ err }, 'what is old could not be pruned; tried again later'));
}
