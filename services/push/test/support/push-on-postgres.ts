import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Severity } from '@plexus/contracts';
import { createPool, type PostgresDatabase, type Statement } from '@plexus/database';
import { systemClock, ulid } from '@plexus/kernel';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { PostgresDecidingStore } from '../../src/adapters/postgres/deciding-store.js';
import { PostgresFanOutJobs } from '../../src/adapters/postgres/fan-out-jobs.js';
import { LogEntries } from '../../src/adapters/nats/log-entries.js';
import { ManagedChanges } from '../../src/adapters/postgres/managing/managed-changes.js';
import { PostgresSubscriptions } from '../../src/adapters/postgres/managing/postgres-subscriptions.js';
import { PostgresPartitionLeases } from '../../src/adapters/postgres/partition-leases.js';
import { PostgresSeenEvents } from '../../src/adapters/postgres/seen-events.js';
import { PostgresSubscriptionIndex } from '../../src/adapters/postgres/subscription-index.js';
import { FairQueue } from '../../src/application/fair-queue.js';
import { MatchEvent } from '../../src/application/match-event.js';
import { NO_MEANING } from '../../src/application/meaning.js';
import { ManageSubscriptions } from '../../src/application/managing/manage-subscriptions.js';
import { ReadInbox } from '../../src/application/read-inbox.js';
import { createEngine } from '../../src/domain/engine/engine.js';
import type { Engine } from '../../src/domain/engine/types.js';
import type { InboxItem } from '../../src/domain/inbox-item.js';
import type { IncomingEvent } from '../../src/domain/incoming-event.js';
import { DecideHere } from './decide-here.js';
import { MemoryLog } from './memory-log.js';
import { inboxStore } from '../../src/wiring/delivering.wiring.js';

export const prismaFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../prisma');

/** One replica of push without NATS: its own pool, the same database and log, hints collected. */
export interface Replica {
  readonly database: PostgresDatabase;
  readonly decide: DecideHere;
  readonly store: PostgresDecidingStore;
  readonly leases: PostgresPartitionLeases;
  readonly jobs: PostgresFanOutJobs;
  readonly matching: MatchEvent;
  readonly subscriptions: ManageSubscriptions;
  readonly inbox: ReadInbox;
  readonly seen: PostgresSeenEvents;
  readonly hints: { readonly user: string; readonly item: InboxItem }[];
  /** Set to make the next commits fail after everything was written, as a crash would. */
  crashBeforeCommit: boolean;
}

export interface PushDatabase {
  /** The log of all replicas. */
  readonly log: MemoryLog;
  readonly test: TestDatabase;
  replica(): Replica;
  /** As if it was just opened: every table and the log are empty, replicas own and remember nothing. */
  reset(): Promise<void>;
  rows<R>(sql: string, parameters?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

export async function openPushDatabase(engine: Engine = createEngine()): Promise<PushDatabase> {
  const test = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
  const pools: PostgresDatabase[] = [];
  const open = () => {
    const database = createPool({ url: test.url, schema: 'push', applicationName: 'push-test', max: 4, pipelined: true });
    pools.push(database);
    return database;
  };
  const own = open();
  const log = new MemoryLog();
  const replicas: Replica[] = [];
  let statements = 0;
  return {
    test,
    log,
    replica: () => {
      const replica = buildReplica(open(), log, engine);
      replicas.push(replica);
      return replica;
    },
    reset: async () => {
      const kept = ['_prisma_migrations', 'partition_cursor'];
      const tables = await own.query<{ name: string }>(
        'test_tables',
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'push' AND tablename <> ALL ($1::text[])",
        [kept],
      );
      await own.script(`TRUNCATE ${tables.map(({ name }) => name).join(', ')}; UPDATE partition_cursor SET stream_seq = 0, fence = fence + 1, owner = NULL;`);
      log.clear();
      for (const replica of replicas) {
        replica.hints.length = 0;
        replica.crashBeforeCommit = false;
        replica.decide.clear();
      }
    },
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

/** Everything was written, nothing committed. */
const CRASH = { name: 'test_crash', text: "DO $$ BEGIN RAISE EXCEPTION 'crashed before the commit'; END $$" };

function buildReplica(database: PostgresDatabase, log: MemoryLog, engine: Engine): Replica {
  const hints: Replica['hints'] = [];
  const mortal = {
    query: database.query.bind(database),
    batch: (given: readonly Statement[]) => database.batch(replica.crashBeforeCommit ? [...given, CRASH] : given),
  };
  const store = new PostgresDecidingStore(mortal, {
    delivered: (tenant, fact) => ({
      subject: `plexus.evt.${tenant}.push.delivered.v1.x`,
      msgId: fact.deliveryId,
      body: Buffer.from(JSON.stringify(fact)),
    }),
    deliver: (tenant, command) => ({
      subject: `plexus.cmd.${tenant}.push.deliver.v1.x`,
      msgId: `${command.deliveryId}:${command.channel}:${command.level}`,
      body: Buffer.from(JSON.stringify(command)),
    }),
  });
  const jobs = new PostgresFanOutJobs(database);
  const matching: MatchEvent = new MatchEvent({
    subscriptions: new PostgresSubscriptionIndex(database),
    jobs,
    log,
    meaning: () => NO_MEANING,
    tap: () => undefined,
    turns: { urgent: new FairQueue(50, 4), others: new FairQueue(50, 4) },
    onJob: () => {},
  });
  const subscriptions = new PostgresSubscriptions(new ManagedChanges(database, readableEntries, () => undefined));
  const leases = new PostgresPartitionLeases(database);
  const replica: Replica = {
    database,
    store,
    leases,
    jobs,
    matching,
    decide: new DecideHere({ database, store, log, matching, jobs, engine, onItem: (user, item) => hints.push({ user, item }) }),
    subscriptions: new ManageSubscriptions(subscriptions, () => ulid(), systemClock),
    inbox: new ReadInbox(inboxStore({ database, log: readableEntries, relay: { kick: () => undefined } }), { itemsChanged: () => undefined }, systemClock, () =>
      ulid(),
    ),
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
