// `rpc push.explain` over a million decisions (`DECISIONS` in the environment: another number), measured at its caller: identity, validation and the
// mesh included. 10,000 users, each event decided for ten of them. Asked are: a user about an event of his; a user without a decision, for whom the
// event is read from the log and his 20 subscriptions are judged; and an event that never was, for which the stream of foreign events is looked through
// (no goal: it costs as much as is looked at, at most 5,000 messages).
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { BUCKETS, pushLogContracts, pushPolicyContracts, SCOPES } from '@plexus/contracts';
import { createPool, migrate } from '@plexus/database';
import { createLogger, loadConfig, startService } from '@plexus/service-kit';
import { connectTestBus, createTestDatabase, startTestNats } from '@plexus/testing';
import { z } from 'zod';
import { partitionOf } from '../dist/src/domain/partition.js';
import { pushService } from '../dist/src/push.service.js';

const DECISIONS = Number(process.env.DECISIONS ?? 1_000_000);
const USERS = 10_000;
const AUDIENCE = 10;
const EVENTS = Math.ceil(DECISIONS / AUDIENCE);
const LOGGED = 50;
const FOREIGN = 2_000;
const ASKED = 400;
const GOAL_MS = 200;

class NoHandlers {}
Module({})(NoHandlers);

const nats = await startTestNats();
const bus = await connectTestBus(nats.url, { apply: true });
await (await bus.kv(BUCKETS.config)).put('_', { tenants: { acme: {} } });
const test = await createTestDatabase();
await migrate({ url: test.url, schema: 'push', directory: new URL('../prisma/migrations', import.meta.url).pathname });
const database = createPool({ url: test.url, schema: 'push', applicationName: 'bench', max: 2, statementTimeoutMs: 600_000 });

/** What the engine writes for an event that was sent. */
const TRACE = JSON.stringify(
  ['idempotency', 'validity', 'preference', 'state', 'silence', 'inhibit', 'collapse', 'priority', 'quiet', 'aggregate', 'throttle', 'emit'].map((stage) => ({
    stage,
    rule: `${stage}:default`,
    verdict: 'pass',
    version: 1,
    input: { severity: 'medium', score: 1 },
  })),
);

const logged = await fillLog();
await fillDecisions();
await fillForeign();

const quiet = (name: string) => createLogger({ service: name, instanceId: 'bench', level: 'silent' });
const start = async (definition: Parameters<typeof startService>[0], env: Record<string, string>) => {
  const config = loadConfig(definition.config, { LOG_LEVEL: 'silent', NATS_URL: nats.url, ...env });
  if (!config.ok) throw new Error(JSON.stringify(config.error));
  return startService(definition, { config: config.value, log: quiet(definition.name) });
};
const push = await start(pushService as never, { DATABASE_URL: test.url });
const gateway = await start({ name: 'gateway', config: z.object({}), needs: {}, create: async () => ({ module: NoHandlers }) } as never, {});

const explain = (user: string, id: string) =>
  gateway.context.bus.call(
    pushPolicyContracts.explain,
    'acme',
    { event: { source: '/bench', id } },
    { principal: { tenant: 'acme', user, role: 'user', scopes: [SCOPES.read], credentialId: 'bench' } },
  );

try {
  await measure('a decided event', 'sent', (n) => explain(`user-${(n * 37 * AUDIENCE + (n % AUDIENCE)) % USERS}`, `event-${(n * 37) % EVENTS}`), {
    goal: GOAL_MS,
  });
  await measure('a user without a subscription that covers it', 'no_subscription', (n) => explain(`outsider-${n % 20}`, `logged-${n % logged.length}`), {
    goal: GOAL_MS,
  });
  await measure(`an event that never was, among ${FOREIGN} foreign ones`, 'event_unknown', (n) => explain('outsider-1', `none-${n}`), { asked: 40 });
} finally {
  await push.stop('end of the benchmark');
  await gateway.stop('end of the benchmark');
  await database.close();
  await test.drop();
  await bus.close();
  await nats.stop();
}

async function measure(
  name: string,
  outcome: string,
  ask: (n: number) => ReturnType<typeof explain>,
  { asked = ASKED, goal }: { readonly asked?: number; readonly goal?: number } = {},
): Promise<void> {
  for (let n = 0; n < 20; n += 1) await ask(n);
  const took: number[] = [];
  for (let n = 0; n < asked; n += 1) {
    const before = performance.now();
    const answer = await ask(n);
    took.push(performance.now() - before);
    if (answer.outcome !== outcome) throw new Error(`${name}: ${answer.outcome} instead of ${outcome}`);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => Number((took[Math.min(took.length - 1, Math.floor(share * took.length))] as number).toFixed(2));
  const rest = { unit: 'ms', min: at(0), max: at(1), median: at(0.5), runs: asked };
  const base = `${DECISIONS.toLocaleString('en')} decisions: explain ${name}`;
  process.stdout.write(`${JSON.stringify({ name: `${base}, p50`, value: at(0.5), ...rest })}\n`);
  process.stdout.write(`${JSON.stringify({ name: `${base}, p99`, value: at(0.99), ...rest, ...(goal === undefined ? {} : { goal: `<= ${goal}` }) })}\n`);
}

/** Candidates of some events in the log, for users that are not asked about. */
async function fillLog(): Promise<{ id: string; seq: number }[]> {
  const entries: { id: string; seq: number }[] = [];
  for (let n = 0; n < LOGGED; n += 1) {
    const id = `logged-${n}`;
    const event = {
      key: id,
      origin: 'bench',
      source: '/bench',
      id,
      type: 'bench.happened',
      subject: 's',
      severity: 'medium' as const,
      occurredAt: new Date().toISOString(),
    };
    const hit = {
      subscriptionId: 'sub',
      version: 1,
      scopeKind: 'all' as const,
      scopeRef: '',
      minSeverity: 'low' as const,
      level: 'all' as const,
      method: 'rule' as const,
      score: 1,
    };
    const data = { event: { ...event, caseId: 'case-1', entities: [], regions: [], topics: [] }, hits: [hit], score: 1 };
    const key = [String(partitionOf('acme', 'insider')), 'insider'];
    const { seq } = await bus.publish(pushLogContracts.candidateLogged, { tenant: 'acme', key, data, id: `candidate:insider:${id}` });
    entries.push({ id, seq });
  }
  return entries;
}

async function fillDecisions(): Promise<void> {
  const columns =
    't, user_id, event_key, input_seq, event_origin, event_source, event_id, event_type, verdict, reason, terminal, delivery_id, policy_version, trace, at';
  await database.query(
    'fill_decisions',
    `INSERT INTO decision (${columns})
     SELECT 'acme', 'user-' || n % ${USERS}, 'key-' || n / ${AUDIENCE}, n, 'bench', '/bench', 'event-' || n / ${AUDIENCE},
            'bench.happened', 'sent', 'sent', true, 'dlv-' || n, 1, $2::jsonb, now() - n * interval '1 second'
       FROM generate_series(0, $1::int - 1) AS n`,
    [DECISIONS, TRACE],
  );
  await database.query(
    'fill_logged',
    `INSERT INTO decision (${columns})
     SELECT 'acme', 'insider', one.id, one.seq, 'bench', '/bench', one.id, 'bench.happened', 'sent', 'sent', true, 'dlv-' || one.id, 1, $3::jsonb, now()
       FROM unnest($1::text[], $2::bigint[]) AS one (id, seq)`,
    [logged.map(({ id }) => id), logged.map(({ seq }) => seq), TRACE],
  );
  await database.query(
    'fill_subscriptions',
    `INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, min_severity, type_patterns, level)
     SELECT 'acme', 'sub-' || u || '-' || s, 'outsider-' || u, 'case', 'other-' || s, 'low', '{}', 'all' FROM generate_series(0, 19) AS u, generate_series(1, 20) AS s`,
  );
  await database.script('ANALYZE decision; ANALYZE subscription;');
}

async function fillForeign(): Promise<void> {
  for (let n = 0; n < FOREIGN; n += 1) {
    const event = { specversion: '1.0', id: `foreign-${n}`, source: '/bench', type: 'bench.other', data: { summary: 'x'.repeat(200) } };
    await bus.publishRaw(`plexus.in.acme.bench.other.v1.k${n}`, Buffer.from(JSON.stringify(event)), { msgId: `foreign-${n}` });
  }
}
