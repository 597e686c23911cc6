import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Severity } from '@plexus/contracts';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { systemClock, ulid } from '@plexus/kernel';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { type DeliveredFact, PostgresDecisionLedger } from '../../src/adapters/postgres/decision-ledger.js';
import { PostgresInboxStore } from '../../src/adapters/postgres/inbox-store.js';
import { LogEntries } from '../../src/adapters/nats/log-entries.js';
import { ManagedChanges } from '../../src/adapters/postgres/managing/managed-changes.js';
import { PostgresSubscriptions } from '../../src/adapters/postgres/managing/postgres-subscriptions.js';
import { PostgresSeenEvents } from '../../src/adapters/postgres/seen-events.js';
import { PostgresSubscriptionIndex } from '../../src/adapters/postgres/subscription-index.js';
import { DecideEvent } from '../../src/application/decide-event.js';
import { ManageSubscriptions } from '../../src/application/managing/manage-subscriptions.js';
import { ReadInbox } from '../../src/application/read-inbox.js';
import type { InboxItem } from '../../src/domain/inbox-item.js';
import type { IncomingEvent } from '../../src/domain/incoming-event.js';

export const prismaFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../prisma');

/** One replica of push without NATS: its own pool, the same database, hints collected. */
export interface Replica {
  readonly database: PostgresDatabase;
  readonly decide: DecideEvent;
  readonly subscriptions: ManageSubscriptions;
  readonly inbox: ReadInbox;
  readonly seen: PostgresSeenEvents;
  readonly hints: { readonly user: string; readonly item: InboxItem }[];
  /** Set to make the next commits fail after everything was written, as a crash would. */
  crashBeforeCommit: boolean;
}

export interface PushDatabase {
  readonly test: TestDatabase;
  replica(): Replica;
  rows<R>(sql: string, parameters?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

export async function openPushDatabase(): Promise<PushDatabase> {
  const test = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
  const pools: PostgresDatabase[] = [];
  const open = () => {
    const database = createPool({ url: test.url, schema: 'push', applicationName: 'push-test', max: 4 });
    pools.push(database);
    return database;
  };
  const own = open();
  let statements = 0;
  return {
    test,
    replica: () => buildReplica(open()),
    rows: (sql, parameters) => {
      statements += 1;
      return own.query(`test_${statements}`, sql, parameters ?? []);
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      await test.drop();
    },
  };
}

/** Log entries as they stand in the outbox, readable. */
export const readableEntries = new LogEntries((contract, { tenant, key, data, id }) => ({
  subject: contract.subject(tenant, ...key),
  msgId: `${tenant}:${id}`,
  headers: {},
  body: Buffer.from(JSON.stringify(data)),
}));

function buildReplica(database: PostgresDatabase): Replica {
  const hints: Replica['hints'] = [];
  const encode = (tenant: string, fact: DeliveredFact) => {
    if (replica.crashBeforeCommit) throw new Error('crashed before the commit');
    return { subject: `plexus.evt.${tenant}.push.delivered.v1.x`, msgId: fact.deliveryId, body: Buffer.from(JSON.stringify(fact)) };
  };
  const ledger = new PostgresDecisionLedger(
    database,
    () => ulid(),
    encode,
    () => undefined,
  );
  const subscriptions = new PostgresSubscriptions(new ManagedChanges(database, readableEntries, () => undefined));
  const replica = {
    database,
    decide: new DecideEvent(new PostgresSubscriptionIndex(database), ledger, { itemAdded: (_tenant, user, _position, item) => hints.push({ user, item }) }),
    subscriptions: new ManageSubscriptions(subscriptions, () => ulid(), systemClock),
    inbox: new ReadInbox(new PostgresInboxStore(database), systemClock, () => ulid()),
    seen: new PostgresSeenEvents(database),
    hints,
    crashBeforeCommit: false,
  };
  return replica;
}

export const everything = { scopeKind: 'all', scopeRef: '', name: '', minSeverity: 'low' as Severity, typePatterns: [], level: 'all' } as const;

/** An event as the consumer hands it over; `inputSeq` is its place in the stream. */
export function incoming(inputSeq: number, rest: Partial<IncomingEvent> = {}): IncomingEvent {
  return {
    tenant: 'acme',
    origin: 'crm',
    source: '/crm',
    id: `e${inputSeq}`,
    type: 'contact.updated',
    subject: 'cnt_1',
    severity: 'medium',
    occurredAt: '2026-11-21T10:00:00.000Z',
    receivedAt: Date.parse('2026-11-21T10:00:01Z'),
    inputSeq,
    entities: [],
    regions: [],
    topics: [],
    ...rest,
  };
}
