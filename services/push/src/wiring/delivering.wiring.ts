import { counter } from '@plexus/telemetry';
import { DeliveringController } from '../adapters/nats/delivering.controller.js';
import { PostgresAttemptBook } from '../adapters/postgres/attempt-book.js';
import { PostgresContactDirectory } from '../adapters/postgres/contact-directory.js';
import { limitsOf } from '../application/channel-settings.js';
import { DeliverItem } from '../application/deliver-item.js';
import { channelSet } from './channels.wiring.js';
import type { PushBasis, PushPart } from './part.js';

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
    limitsOf: (tenant, channel) => limitsOf(channels, tenant, channel),
    clock,
    onAttempt: ({ tenant, deliveryId, channel, level }, outcome, error) => {
      sends.add(1, { channel, outcome });
      if (outcome === 'refused' || outcome === 'gone') log.warn({ tenant, deliveryId, channel, level, outcome, error }, 'a delivery was refused for good');
      else log.debug({ tenant, deliveryId, channel, level, outcome, error }, 'a delivery was attempted');
    },
  });
  return {
    controllers: [DeliveringController],
    providers: [
      { provide: DeliverItem, useValue: deliver },
      { provide: PostgresAttemptBook, useValue: attempts },
    ],
  };
}
