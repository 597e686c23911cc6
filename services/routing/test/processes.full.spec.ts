import { routingContracts as rpc } from '@plexus/contracts';
import { PlexusError, retry } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';
import { RoutingProcess } from './support/routing-process.js';
import { StandInAdapter } from './support/stand-in-adapter.js';

let mesh: RoutingMesh;
let telegram: StandInAdapter;
let processes: RoutingProcess[] = [];
const open = { dmPolicy: 'open', groupPolicy: 'open' };
const PATIENT = { timeoutMs: 120_000 };

beforeAll(async () => {
  mesh = await startRoutingMesh(0);
  await mesh.configure({ session: { dmScope: 'per-channel-peer' }, channels: { telegram: { defaultAccount: 'work', accounts: { work: open, spare: open } } } });
  const environment = { ...mesh.environment, ROUTING_SEND_TIMEOUT_MS: '4000', ROUTING_BREAKER_RESET_MS: '600000' };
  processes = await Promise.all(Array.from({ length: 3 }, () => new RoutingProcess(environment).ready()));
  telegram = new StandInAdapter(mesh.bus).start();
}, 180_000);
afterAll(async () => {
  await Promise.all(processes.map((one) => one.kill()));
  await telegram?.stop();
  await mesh?.stop();
});

const count = async (text: string, values: unknown[] = []) => (await mesh.database.query<{ n: number }>(`spec_${text.length}`, text, values))[0]?.n ?? 0;

test('three processes that are given every message several times take each once', async () => {
  const ids = Array.from({ length: 15 }, (_, n) => `p${n}`);
  const deliveries = ids.flatMap((messageId) => Array.from({ length: 6 }, () => messageId));
  await Promise.all(
    deliveries.map((messageId) => telegram.receive({ text: messageId, messageId, chat: { kind: 'dm', id: messageId }, sender: { id: messageId } })),
  );
  await waitFor(async () => (await count(`SELECT count(*)::int AS n FROM inbound_messages WHERE outcome = 'accepted'`)) === ids.length, {
    ...PATIENT,
    what: 'all to be taken',
  });
  await telegram.receive({ text: 'last', messageId: 'last', chat: { kind: 'dm', id: 'last' }, sender: { id: 'last' } });
  await waitFor(async () => (await count(`SELECT count(*)::int AS n FROM inbound_messages WHERE message_id = 'last'`)) === 1, PATIENT);
  const rows = await mesh.database.query<{ text: string; n: number }>(
    'spec_texts',
    'SELECT text, count(*)::int AS n FROM messages GROUP BY text ORDER BY text',
    [],
  );
  expect(rows).toEqual([...ids, 'last'].sort().map((text) => ({ text, n: 1 })));
});

test('a half-open breaker lets one probe through, however many processes and messages there are', async () => {
  const circuit = JSON.stringify({ state: 'open', failures: 5, lastFailureAt: 1 });
  await mesh.database.query(
    'spec_open',
    `INSERT INTO channel_health (tenant, channel, account_id, breaker) VALUES ('acme', 'telegram', 'work', $1::jsonb)
    ON CONFLICT (tenant, channel, account_id) DO UPDATE SET breaker = EXCLUDED.breaker`,
    [circuit],
  );
  telegram.verdict = ({ account }) => (account === 'work' ? 'silent' : { ok: true });
  const before = telegram.sent.length;
  await Promise.all(Array.from({ length: 12 }, (_, n) => send(`probe-${n}`, `telegram:2000${n}`)));
  await waitFor(async () => (await count(`SELECT count(*)::int AS n FROM sends WHERE idempotency_key LIKE 'rpc:probe-%' AND status = 'sent'`)) >= 11, {
    ...PATIENT,
    what: 'the others to be sent',
  });
  expect(telegram.sent.slice(before).filter(({ account }) => account === 'work')).toHaveLength(1);
  telegram.verdict = () => ({ ok: true });
});

const send = (idempotencyKey: string, to: string) =>
  retry(() => mesh.call(rpc.sendMessage, { channel: 'telegram', to, text: idempotencyKey, idempotencyKey }, { user: 'me' }, { timeoutMs: 5_000 }), {
    attempts: 240,
    baseMs: 50,
    capMs: 500,
    isRetryable: (error) => PlexusError.isPlexusError(error) && error.retryable,
  });

test('processes are killed in the middle of deliveries: every message is sent, in the order of its chat, and shown once', async () => {
  const chats = ['telegram:301', 'telegram:302', 'telegram:303'];
  const perChat = 12;
  const traffic = Promise.all(
    chats.map(async (to) => {
      for (let n = 0; n < perChat; n += 1) await send(`kill-${to}-${n}`, to);
    }),
  );
  await waitFor(() => telegram.sent.filter(({ text }) => text.startsWith('kill-')).length >= 6, { ...PATIENT, what: 'some sends' });
  const [victim, other, survivor] = processes;
  await Promise.all([victim?.kill(), other?.kill()]);
  const replacement = new RoutingProcess({ ...mesh.environment, ROUTING_SEND_TIMEOUT_MS: '4000', ROUTING_BREAKER_RESET_MS: '600000' });
  processes = [survivor, replacement].filter((one) => one !== undefined);
  await replacement.ready();
  await traffic;
  const total = chats.length * perChat;
  await waitFor(async () => (await count(`SELECT count(*)::int AS n FROM sends WHERE idempotency_key LIKE 'rpc:kill-%' AND status = 'sent'`)) === total, {
    ...PATIENT,
    what: 'all to be sent',
  });
  for (const to of chats) {
    const wanted = Array.from({ length: perChat }, (_, n) => `kill-${to}-${n}`);
    const first = [...new Set(telegram.sent.filter((sent) => `telegram:${sent.to}` === to).map(({ text }) => text))];
    expect(first).toEqual(wanted);
    const history = () => mesh.call(rpc.getHistory, { sessionKey: `agent:main:telegram:dm:${to.slice(9)}`, limit: 1_000 }, { user: 'me' });
    await waitFor(async () => (await history()).totalMessages >= perChat, { ...PATIENT, what: `mirrors of ${to}` });
    expect((await history()).messages.map(({ text }) => text).sort()).toEqual([...wanted].sort());
  }
}, 600_000);
