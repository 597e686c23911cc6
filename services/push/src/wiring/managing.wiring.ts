import { ulid } from '@plexus/kernel';
import { SubscriptionsController } from '../adapters/nats/subscriptions.controller.js';
import { ManagedChanges } from '../adapters/postgres/managing/managed-changes.js';
import { PostgresSubscriptions } from '../adapters/postgres/managing/postgres-subscriptions.js';
import { ImportSubscriptions } from '../application/managing/import-subscriptions.js';
import { ManageSubscriptions } from '../application/managing/manage-subscriptions.js';
import type { PushBasis, PushPart } from './part.js';

/** Preferences, quiet hours, silences, grants, contacts, subscriptions in bulk. */
export function wireManaging({ context: { clock }, database, log, relay }: PushBasis): PushPart {
  const changes = new ManagedChanges(database, log, () => relay.kick());
  const subscriptions = new PostgresSubscriptions(changes);
  const newId = () => ulid();
  return {
    controllers: [SubscriptionsController],
    providers: [
      { provide: ManageSubscriptions, useValue: new ManageSubscriptions(subscriptions, newId, clock) },
      { provide: ImportSubscriptions, useValue: new ImportSubscriptions(subscriptions, newId, clock) },
    ],
  };
}
