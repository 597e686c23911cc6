import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { type Bus, type CallOptions } from '@plexus/bus';
import { BUCKETS, type DataOf, type InputOf, type Principal, type ResponseOf, type RpcContract, runContracts, sessionContracts } from '@plexus/contracts';
import { createPool, migrate, type PostgresDatabase } from '@plexus/database';
import { type RunningService, startService } from '@plexus/service-kit';
import { connectTestBus, createTestDatabase, startTestNats, type TestDatabase, type TestNats, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { migrationsFolder } from '../../src/adapters/postgres/migrations.js';
import { routingConfig } from '../../src/config.js';
import { routingService } from '../../src/routing.service.js';

/** Only the gateway may speak for people; this is one without sockets. */
@Module({})
class NoHandlers {}

const BASE = { LOG_LEVEL: 'silent', SHUTDOWN_TIMEOUT_MS: 5_000 } as const;
/** For calls of a test, whatever their contract says: how fast a busy machine answers is not what is tested. */
export const PATIENCE_MS = 70_000;

export type RunStart = DataOf<typeof runContracts.startRun>;

/** Real NATS and Postgres, routing replicas in this process, and a caller. */
export interface RoutingMesh {
  readonly nats: TestNats;
  readonly bus: Bus;
  readonly database: PostgresDatabase;
  readonly replicas: RunningService<typeof routingConfig>[];
  /** What a routing process of its own needs to take part. */
  readonly environment: Readonly<Record<string, string>>;
  addReplica(settings?: Partial<z.input<typeof routingConfig>>): Promise<RunningService<typeof routingConfig>>;
  call<C extends RpcContract>(rpc: C, data: InputOf<C>, as?: Partial<Principal>, options?: CallOptions): Promise<ResponseOf<C>>;
  /** Publishes an event of a run as its VM would. */
  event(
    run: { sessionId: string; sessionKey: string; runId: string },
    event: { type: string; [key: string]: unknown },
    more?: { runSeq?: number; vmId?: string; epoch?: number; msgId?: string },
  ): Promise<number>;
  /** Puts the configuration of a tenant into force on every replica. */
  configure(document: Record<string, unknown>, tenant?: string): Promise<void>;
  /** Commands in the work queue, in stream order. */
  commands(): Promise<{ name: string; data: RunStart & { reason?: string } }[]>;
  /** Events of a session in stream order, by contract name. */
  events(name: 'event' | 'message' | 'changed', sessionId?: string): Promise<{ subject: string; data: Record<string, unknown> }[]>;
  stop(): Promise<void>;
}

export const principal = (more: Partial<Principal> = {}): Principal => ({
  tenant: 'acme',
  user: 'ada',
  role: 'user',
  scopes: ['operator.write'],
  credentialId: 'spec',
  ...more,
});

/** What resetting and injecting needs. */
export const admin = { scopes: ['operator.admin'] };

/** `databaseUrl`: a database of one's own, to be killed; absent: a fresh one on the shared server. */
export async function startRoutingMesh(replicas = 1, settings: Partial<z.input<typeof routingConfig>> = {}, databaseUrl?: string): Promise<RoutingMesh> {
  const nats = await startTestNats();
  const bus = await connectTestBus(nats.url, { apply: true });
  const config = await bus.kv(BUCKETS.config);
  await config.put('_', { tenants: { acme: {}, other: {} } });
  await config.put('acme', {
    agents: {
      list: [
        { id: 'main', default: true, model: 'test/model', systemPrompt: 'Be brief.' },
        { id: 'ops', name: 'Ops' },
      ],
    },
  });
  await config.put('other', {});
  const target: Pick<TestDatabase, 'url' | 'drop'> = databaseUrl === undefined ? await createTestDatabase() : { url: databaseUrl, drop: async () => undefined };
  await migrate({ url: target.url, schema: 'routing', directory: migrationsFolder() });
  const database = createPool({ url: target.url, schema: 'routing', applicationName: 'spec', max: 4 });
  const gateway = await startService(
    { name: 'gateway', config: z.object({}), needs: {}, create: async () => ({ module: NoHandlers }) },
    { config: { ...BASE, NATS_URL: nats.url } as never },
  );
  const running: RunningService<typeof routingConfig>[] = [];
  const addReplica: RoutingMesh['addReplica'] = async (more = {}) => {
    const own = routingConfig.parse({ DATABASE_URL: target.url, ROUTING_SWEEP_INTERVAL_MS: 100, ROUTING_SEND_INTERVAL_MS: 100, ...settings, ...more });
    const replica = await startService(routingService, {
      config: {
        ...BASE,
        NODE_ENV: 'test',
        INTERNAL_HOST: '127.0.0.1',
        INTERNAL_PORT: 0,
        PROPAGATION_DELAY_MS: 0,
        PLEXUS_PARENT_BOUND: false,
        PLEXUS_SKIP_MODULES: [],
        NATS_URL: nats.url,
        ...own,
      },
    });
    running.push(replica);
    return replica;
  };
  for (let index = 0; index < replicas; index += 1) await addReplica();

  const readAll = async (stream: string, filter: string) => {
    const found: { subject: string; seq: number; data: Record<string, unknown> }[] = [];
    const stored = async () => {
      const info = await bus.connection.request(`$JS.API.STREAM.INFO.${stream}`, JSON.stringify({ subjects_filter: filter }));
      const subjects = (info.json() as { state: { subjects?: Record<string, number> } }).state.subjects ?? {};
      return Object.values(subjects).reduce((sum, count) => sum + count, 0);
    };
    if ((await stored()) === 0) return found;
    const reading = bus.readOrdered(stream, { filter, from: 'all' }, (message) => {
      found.push({ subject: message.subject, seq: message.seq, data: message.json<{ data: Record<string, unknown> }>().data });
    });
    // Counted anew each time: what is erased meanwhile never arrives.
    await waitFor(async () => found.length >= (await stored()), { what: `all messages of ${filter}` });
    await reading.stop();
    return found;
  };
  /** A work queue takes no reader beside its consumer: messages are fetched by sequence. */
  const readQueue = async () => {
    const info = (await bus.connection.request('$JS.API.STREAM.INFO.PLEXUS_CMD_RUN', '')).json() as { state: { first_seq: number; last_seq: number } };
    const found: { name: string; data: RunStart & { reason?: string } }[] = [];
    for (let seq = info.state.first_seq; seq <= info.state.last_seq; seq += 1) {
      const message = await bus.messageAt('PLEXUS_CMD_RUN', seq);
      if (message) found.push({ name: message.parsed?.name ?? '', data: message.json<{ data: RunStart }>().data });
    }
    return found;
  };

  return {
    nats,
    bus,
    database,
    replicas: running,
    environment: { NATS_URL: nats.url, DATABASE_URL: target.url, ROUTING_SEND_INTERVAL_MS: '100', ROUTING_SWEEP_INTERVAL_MS: '100' },
    addReplica,
    call: (rpc, data, as, options) =>
      gateway.context.bus.call(rpc, as?.tenant ?? 'acme', data, { principal: principal(as), timeoutMs: PATIENCE_MS, ...options }),
    event: async (run, event, { msgId, ...more } = {}) => {
      const data = { sessionId: run.sessionId, sessionKey: run.sessionKey, owner: 'ada', runId: run.runId, ...more, event };
      const ack = await bus.publish(sessionContracts.sessionEvent, { tenant: 'acme', key: [run.sessionId], data, ...(msgId === undefined ? {} : { msgId }) });
      return ack.seq;
    },
    configure: async (document, tenant = 'acme') => {
      const revision = await config.put(tenant, document);
      const current = () => running.every((replica) => replica.context.tenants.revisionOf(tenant) >= revision);
      await waitFor(current, { what: `revision ${revision} of ${tenant}` });
    },
    commands: readQueue,
    events: (name, sessionId) => readAll('PLEXUS_EVT_SESSION', `plexus.evt.*.session.${name}.v1.${sessionId ?? '>'}`),
    stop: async () => {
      await Promise.all(running.map((replica) => replica.stop('spec')));
      await gateway.stop('spec');
      await database.close();
      await bus.close();
      await nats.stop();
      await target.drop();
    },
  };
}
