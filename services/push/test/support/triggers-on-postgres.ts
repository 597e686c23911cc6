import path from 'node:path';
import type { EncodedEvent, EventInput, StoredContract } from '@plexus/bus';
import { buildSubject } from '@plexus/contracts';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { FakeClock, ulid } from '@plexus/kernel';
import { createTestDatabase } from '@plexus/testing';
import { LogEntries } from '../../src/adapters/nats/log-entries.js';
import { TriggerMessages } from '../../src/adapters/nats/trigger-messages.js';
import { PostgresDispatchStore } from '../../src/adapters/postgres/dispatch-store.js';
import { PostgresScheduleStore } from '../../src/adapters/postgres/schedule-store.js';
import { PostgresTriggerStore } from '../../src/adapters/postgres/trigger-store.js';
import type { Owner } from '../../src/application/ports.js';
import { AdvanceRuns } from '../../src/application/triggers/advance-runs.js';
import { AgentTools } from '../../src/application/triggers/agent-tools.js';
import { DispatchOnEvent } from '../../src/application/triggers/dispatch-on-event.js';
import { FireSchedules } from '../../src/application/triggers/fire-schedules.js';
import { ManageDispatch } from '../../src/application/triggers/manage-dispatch.js';
import { ManageSchedules } from '../../src/application/triggers/manage-schedules.js';
import type { AgentDirectory, AgentRun, AgentRuns, AgentTask, TriggerStore } from '../../src/application/triggers/trigger-ports.js';
import { prismaFolder } from './push-on-postgres.js';

/** Routing as triggers know it: runs by id, ended when a test says so. */
export class FakeAgents implements AgentRuns, AgentDirectory {
  /** What is configured. */
  readonly configured = new Set(['main', 'scout', 'gone']);
  readonly started: { readonly owner: Owner; readonly runId: string; readonly task: AgentTask }[] = [];
  readonly cancelled: string[] = [];
  readonly runs = new Map<string, AgentRun>();
  /** Instead of an answer, once each: an error, or the death of who asked, after the run was begun. */
  readonly failures: (Error | 'dies')[] = [];

  async start(owner: Owner, runId: string, task: AgentTask & { readonly sessionKey: string }): Promise<{ runId: string; sessionKey: string }> {
    if (this.failures[0] instanceof Error) throw this.failures.shift();
    if (!this.runs.has(runId)) {
      this.started.push({ owner, runId, task });
      this.runs.set(runId, { open: true, ok: false });
    }
    if (this.failures[0] === 'dies') {
      this.failures.shift();
      return new Promise(() => undefined);
    }
    return { runId, sessionKey: `agent:main:${task.sessionKey}` };
  }

  async idOf(_owner: Owner, agentId: string): Promise<string | undefined> {
    const id = agentId.trim().toLowerCase();
    return this.configured.has(id) ? id : undefined;
  }

  async find(_owner: Owner, runId: string): Promise<AgentRun | undefined> {
    return this.runs.get(runId);
  }

  async cancel(_owner: Owner, runId: string): Promise<void> {
    this.cancelled.push(runId);
  }

  end(runId: string, text: string): void {
    this.runs.set(runId, { open: false, ok: true, text });
  }
}

export interface TriggerReplica {
  readonly fire: FireSchedules;
  readonly advance: AdvanceRuns;
  readonly tap: DispatchOnEvent;
  readonly tools: AgentTools;
  readonly schedules: ManageSchedules;
  readonly dispatching: ManageDispatch;
  readonly configured: PostgresScheduleStore;
  /** The next transaction is rolled back at its end, and whoever waits for it waits for ever: a process that was killed. */
  dieBeforeCommit: boolean;
}

export interface Triggers {
  readonly clock: FakeClock;
  readonly agents: FakeAgents;
  readonly database: PostgresDatabase;
  replica(): TriggerReplica;
  /** Tenants that were removed. */
  readonly gone: Set<string>;
  /** What would be published, in order: subjects and CloudEvents. */
  outbox(
    tenant: string,
  ): Promise<{ readonly subject: string; readonly event: { readonly id: string; readonly type: string; readonly data: Record<string, never> } }[]>;
  close(): Promise<void>;
}

/** Triggers on a real Postgres, without NATS, on a clock that stands still. */
export async function openTriggers(): Promise<Triggers> {
  const test = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
  const pools: PostgresDatabase[] = [];
  const open = () => {
    const pool = createPool({ url: test.url, schema: 'push', applicationName: 'push-test', max: 4, connectTimeoutMs: 60_000, statementTimeoutMs: 60_000 });
    pools.push(pool);
    return pool;
  };
  const database = open();
  const clock = new FakeClock(Date.parse('2026-11-21T10:00:00Z'));
  const gone = new Set<string>();
  const agents = new FakeAgents();
  return {
    clock,
    agents,
    database,
    replica: () => buildReplica(open(), clock, agents, gone),
    gone,
    outbox: async (tenant) => {
      const sql = "SELECT subject, body FROM outbox WHERE subject LIKE 'plexus.%.' || $1 || '.%' ORDER BY id";
      const rows = await database.query<{ subject: string; body: Uint8Array }>('test_outbox', sql, [tenant]);
      return rows.map(({ subject, body }) => ({ subject, event: JSON.parse(Buffer.from(body).toString()) as never }));
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      await test.drop();
    },
  };
}

/** The CloudEvent as it would be published, checked by its contract. */
function readable(contract: StoredContract, { tenant, key, data, id = '', source, sourceToken, extensions }: EventInput<StoredContract>): EncodedEvent {
  const { kind, name, version } = contract;
  const subject = sourceToken === undefined ? contract.subject(tenant, ...key) : buildSubject({ kind, tenant, domain: sourceToken, name, version, key });
  const event = { specversion: '1.0', id, source, type: contract.type, ...extensions, data: contract.data.parse(data) };
  return { subject, msgId: `${tenant}:${id}`, headers: {}, body: Buffer.from(JSON.stringify(event)) };
}

function buildReplica(database: PostgresDatabase, clock: FakeClock, agents: FakeAgents, gone: ReadonlySet<string>): TriggerReplica {
  const messages = new TriggerMessages(new LogEntries(readable), readable);
  const inner = new PostgresTriggerStore(
    database,
    (message) => messages.encoded(message),
    () => undefined,
  );
  const died = new Error('died before the commit');
  const store: TriggerStore = {
    transaction: (work) =>
      inner
        .transaction(async (tx) => {
          const result = await work(tx);
          if (!replica.dieBeforeCommit) return result;
          replica.dieBeforeCommit = false;
          throw died;
        })
        .catch((error: unknown) => (error === died ? new Promise<never>(() => undefined) : Promise.reject(error))),
    claimRuns: (now, until, limit) => inner.claimRuns(now, until, limit),
    prune: (before, limit) => inner.prune(before, limit),
  };
  const newId = () => ulid();
  const ignore = () => undefined;
  const fire = new FireSchedules(store, clock, newId, ignore, (tenant) => !gone.has(tenant));
  const configured = new PostgresScheduleStore(database);
  const dispatching = new PostgresDispatchStore(database);
  const tap = new DispatchOnEvent(store, dispatching, clock, newId, ignore);
  const replica: TriggerReplica = {
    fire,
    advance: new AdvanceRuns(
      store,
      agents,
      clock,
      (error) => {
        throw error;
      },
      ignore,
    ),
    tap,
    tools: new AgentTools(store, agents, clock, newId, ignore),
    schedules: new ManageSchedules(configured, fire, agents, clock, newId),
    dispatching: new ManageDispatch(dispatching, agents, clock, newId, (tenant) => tap.forget(tenant)),
    configured,
    dieBeforeCommit: false,
  };
  return replica;
}
