import { randomInt } from 'node:crypto';
import { ulid } from '@plexus/kernel';
import { AccessController } from '../adapters/nats/access.controller.js';
import { ContactsController, WebPushKeys } from '../adapters/nats/contacts.controller.js';
import { PreferencesController } from '../adapters/nats/preferences.controller.js';
import { SilenceClock, SilencesController } from '../adapters/nats/silences.controller.js';
import { SubscriptionsController } from '../adapters/nats/subscriptions.controller.js';
import { ManagedChanges } from '../adapters/postgres/managing/managed-changes.js';
import { PostgresAccess } from '../adapters/postgres/managing/postgres-access.js';
import { PostgresContacts } from '../adapters/postgres/managing/postgres-contacts.js';
import { PostgresPreferences } from '../adapters/postgres/managing/postgres-preferences.js';
import { PostgresSilences } from '../adapters/postgres/managing/postgres-silences.js';
import { PostgresSubscriptions } from '../adapters/postgres/managing/postgres-subscriptions.js';
import { HandleAccessEvent } from '../application/managing/handle-access-event.js';
import { ImportSubscriptions } from '../application/managing/import-subscriptions.js';
import { ManageAccess } from '../application/managing/manage-access.js';
import { ManageContacts } from '../application/managing/manage-contacts.js';
import { ManagePreferences } from '../application/managing/manage-preferences.js';
import { ManageSilences } from '../application/managing/manage-silences.js';
import { ManageSubscriptions } from '../application/managing/manage-subscriptions.js';
import { codeSender, webPushKeys } from './channels.wiring.js';
import type { PushBasis, PushPart } from './part.js';

/** Preferences, quiet hours, silences, grants, contacts, subscriptions in bulk. */
export function wireManaging(basis: PushBasis): PushPart {
  const { clock } = basis.context;
  const changes = changesOf(basis);
  const subscriptions = new PostgresSubscriptions(changes);
  const newId = () => ulid();
  return {
    controllers: [SubscriptionsController, PreferencesController, SilencesController, AccessController, ContactsController],
    providers: [
      { provide: ManageSubscriptions, useValue: new ManageSubscriptions(subscriptions, newId, clock) },
      { provide: ImportSubscriptions, useValue: new ImportSubscriptions(subscriptions, newId, clock) },
      { provide: ManagePreferences, useValue: new ManagePreferences(new PostgresPreferences(changes), newId, clock) },
      { provide: ManageSilences, useValue: new ManageSilences(new PostgresSilences(changes), newId, clock) },
      { provide: SilenceClock, useValue: clock },
      { provide: ManageAccess, useValue: new ManageAccess(new PostgresAccess(changes), newId, clock) },
      { provide: ManageContacts, useValue: new ManageContacts(new PostgresContacts(changes), codeSender(basis), newId, newCode, clock) },
      { provide: WebPushKeys, useValue: new WebPushKeys(webPushKeys(basis)) },
    ],
  };
}

/** What obeys events about access; to be asked before such an event is matched. */
export function accessEventsOf(basis: Pick<PushBasis, 'context' | 'database' | 'log' | 'relay'>): HandleAccessEvent {
  const { tenants } = basis.context;
  return new HandleAccessEvent(new PostgresAccess(changesOf(basis)), (tenant) => tenants.get(tenant)?.push?.accessSources ?? []);
}

function changesOf({ database, log, relay }: Pick<PushBasis, 'database' | 'log' | 'relay'>): ManagedChanges {
  return new ManagedChanges(database, log, () => relay.kick());
}

/** Eight digits from the system's generator: five attempts find one in a few ten million. */
function newCode(): string {
  return String(randomInt(0, 100_000_000)).padStart(8, '0');
}
