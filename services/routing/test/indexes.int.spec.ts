import { createPool, migrate, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { migrationsFolder } from '../src/adapters/postgres/migrations.js';
import { CLAIM_DUE } from '../src/adapters/postgres/postgres-sends.js';
import { CLAIM_RELEASE } from '../src/adapters/postgres/postgres-transaction.js';

let target: TestDatabase;
let database: PostgresDatabase;

beforeAll(async () => {
  target = await createTestDatabase();
  await migrate({ url: target.url, schema: 'routing', directory: migrationsFolder() });
  database = createPool({ url: target.url, schema: 'routing', applicationName: 'spec', max: 2 });
  const fill = [
    `INSERT INTO sends (tenant, owner, send_id, idempotency_key, request_hash, origin, status, channel, account_id, target, text, deadline_at, due_at)
     SELECT 'acme', 'me', 's' || n, 'k' || n, '', 'rpc', CASE WHEN n % 4 = 0 THEN 'waiting' ELSE 'sent' END, 'telegram', 'work', jsonb_build_object('to', (n % 3000)::text), 'x',
            now() + interval '1 hour', CASE WHEN n % 4 = 0 THEN now() END FROM generate_series(1, 20000) AS n`,
    `INSERT INTO sessions (tenant, owner, session_key, session_id, agent_id, kind, release_at)
     SELECT 'acme', 'u' || (n % 100), 'agent:main:' || n, 'id' || n, 'main', 'other', CASE WHEN n % 4000 = 0 THEN now() END FROM generate_series(1, 20000) AS n`,
    `INSERT INTO session_grants (session_ref, tenant, grantee, access, granted_by) SELECT id, 'acme', 'u' || (id % 1000), 'read', 'x' FROM sessions`,
    `INSERT INTO inbound_messages (tenant, source, account_id, chat_id, message_id, outcome) SELECT 'acme', 'telegram', 'work', 'c', n::text, 'accepted' FROM generate_series(1, 20000) AS n`,
    `INSERT INTO runs (tenant, owner, run_id, session_ref, session_id, session_key, agent_id, status, request_hash, message_seq, timeout_ms)
     SELECT 'acme', 'me', 'r' || id, id, session_id, session_key, 'main', 'ok', '', 1, 1000 FROM sessions`,
  ];
  for (const [index, text] of fill.entries()) await database.query(`spec_fill_${index}`, text, []);
  for (const table of ['sends', 'sessions', 'session_grants', 'inbound_messages', 'runs'])
    await database.query(`spec_analyze_${table}`, `ANALYZE ${table}`, []);
}, 180_000);
afterAll(async () => {
  await database?.close();
  await target?.drop();
});

test.each([
  ['the next send that is due', CLAIM_DUE, ['sends_due_idx', 'sends_chat_idx'], 'sends'],
  ['the next session to be released', CLAIM_RELEASE, ['sessions_release_idx'], 'sessions'],
  [
    'what is shared with a user',
    `SELECT session_ref FROM session_grants WHERE tenant = 'acme' AND grantee = 'u7'`,
    ['session_grants_tenant_grantee_idx'],
    'session_grants',
  ],
  [
    'a message that was seen',
    `SELECT 1 FROM inbound_messages WHERE tenant = 'acme' AND source = 'telegram' AND account_id = 'work' AND chat_id = 'c' AND message_id = '77'`,
    ['inbound_messages_once_key'],
    'inbound_messages',
  ],
  ['the open runs of a session', `SELECT 1 FROM runs WHERE session_id = 'id5' AND status IN ('queued', 'started') ORDER BY id`, ['runs_open_idx'], 'runs'],
  ['a run by its id', `SELECT 1 FROM runs WHERE tenant = 'acme' AND owner = 'me' AND run_id = 'r5'`, ['runs_tenant_owner_run_id_key'], 'runs'],
])('%s is found by an index', async (_what, text, indexes, table) => {
  const rows = await database.query<Record<string, string>>(`spec_explain_${indexes.join('_').slice(0, 40)}`, `EXPLAIN ${text}`, []);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  for (const index of indexes) expect(plan).toContain(index);
  expect(plan).not.toMatch(new RegExp(`Seq Scan on ${table}`));
});
