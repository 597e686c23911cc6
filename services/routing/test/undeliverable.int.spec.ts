import { routingContracts as rpc } from '@plexus/contracts';
import { listParked } from '@plexus/bus';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';
import { StandInAdapter } from './support/stand-in-adapter.js';

let mesh: RoutingMesh;
let telegram: StandInAdapter;
const LIMIT = { timeoutMs: 60_000 };
const open = { dmPolicy: 'open', groupPolicy: 'open' };
const me = { user: 'me' };

beforeAll(async () => {
  mesh = await startRoutingMesh(1, { ROUTING_BREAKER_RESET_MS: 600_000 });
  await mesh.configure({
    session: { dmScope: 'per-channel-peer' },
    messages: { queue: { debounceMs: 0 } },
    channels: { telegram: { defaultAccount: 'work', accounts: { work: open, spare: open } } },
  });
  telegram = new StandInAdapter(mesh.bus).start();
});
afterAll(async () => {
  await telegram.stop();
  await mesh.stop();
});
beforeEach(() => {
  telegram.verdict = () => ({ ok: true });
});

const send = (more: object, as: object = me) =>
  mesh.call(rpc.sendMessage, { channel: 'telegram', to: 'telegram:1', text: 'hello', idempotencyKey: 'k', ...more }, as);
const stateOf = async (sendId: string) => (await mesh.call(rpc.getSend, { sendId }, me)).send;
const ended = (sendId: string, status: string) =>
  waitFor(
    async () => {
      const state = await stateOf(sendId);
      return state?.status === status ? state : undefined;
    },
    { ...LIMIT, what: `${sendId} to be ${status}` },
  );

test.each([
  ['a kind of attachment that no adapter knows', { attachments: [{ kind: 'document', url: 'https://x/y' }] }],
  ['more attachments than an adapter takes', { attachments: Array.from({ length: 21 }, () => ({ kind: 'file', url: 'https://x/y' })) }],
  ['a URL that is too long', { attachments: [{ kind: 'file', url: `https://x/${'y'.repeat(2_100)}` }] }],
  ['an empty reply', { replyToId: '' }],
])('%s is refused when it is asked for, a dry run included', async (what, more) => {
  await expect(send({ idempotencyKey: what, ...more })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(send({ idempotencyKey: what, dryRun: true, ...more })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('a stored send that fits no command ends as failed, and nobody waits behind it', async () => {
  const { send: bad } = await send({ to: 'telegram:10', idempotencyKey: 'bad', attachments: [{ kind: 'file', url: 'https://x/y' }] });
  await ended(bad?.sendId ?? '', 'sent');
  // As an older release accepted it; it is due before everything else.
  await mesh.database.query(
    'spec_unfit',
    `UPDATE sends SET attachments = '[{"kind":"document"}]', status = 'waiting', due_at = now() - interval '1 day', ended_at = NULL WHERE send_id = $1`,
    [bad?.sendId],
  );
  const { send: good } = await send({ to: 'telegram:11', idempotencyKey: 'good' });
  await ended(good?.sendId ?? '', 'sent');
  expect((await ended(bad?.sendId ?? '', 'failed')).error).toMatchObject({ code: 'INVALID_REQUEST' });
});

test('a row that cannot be worked on is set back, so that it keeps nobody else from being sent', async () => {
  const { send: odd } = await send({ to: 'telegram:12', idempotencyKey: 'odd' });
  await ended(odd?.sendId ?? '', 'sent');
  await mesh.database.query(
    'spec_odd',
    `UPDATE sends SET tried = '7', status = 'waiting', due_at = now() - interval '1 day', ended_at = NULL WHERE send_id = $1`,
    [odd?.sendId],
  );
  const { send: good } = await send({ to: 'telegram:13', idempotencyKey: 'behind' });
  await ended(good?.sendId ?? '', 'sent');
  const setBack = () => mesh.database.query('spec_later', 'SELECT 1 AS one FROM sends WHERE send_id = $1 AND due_at > created_at', [odd?.sendId]);
  await waitFor(async () => (await setBack()).length === 1, { ...LIMIT, what: 'it to be set back' });
  await mesh.database.query('spec_away', 'DELETE FROM sends WHERE send_id = $1', [odd?.sendId]);
});

test('an answer that is longer than a channel takes is cut there, and whole in the transcript', async () => {
  const messageId = await telegram.receive({ text: 'tell me everything', chat: { kind: 'dm', id: '14' }, sender: { id: '14' } });
  const run = await waitFor(
    async () =>
      (
        await mesh.database.query<{ runId: string; sessionId: string; sessionKey: string }>(
          'spec_long',
          `SELECT runs.run_id AS "runId", runs.session_id AS "sessionId", runs.session_key AS "sessionKey"
             FROM runs JOIN inbound_messages USING (run_id) WHERE message_id = $1 AND status = 'started'`,
          [messageId],
        )
      )[0],
    { ...LIMIT, what: 'the run' },
  );
  await mesh.event(run, { type: 'execution_complete', content: 'x'.repeat(250_000) });
  const sent = await waitFor(() => telegram.sent.find(({ to }) => to === '14'), { ...LIMIT, what: 'the answer' });
  expect(sent.text.length).toBeLessThanOrEqual(200_000);
  expect(sent.text).toContain('[cut');
  const { messages } = await mesh.call(rpc.getHistory, { sessionKey: run.sessionKey }, me);
  expect(messages.at(-1)?.text).toHaveLength(250_000);
});

test('work that failed for a while is tried again, although the other account is locked out for good', async () => {
  let broken = 2;
  telegram.verdict = ({ account }) => {
    if (account === 'spare') return { ok: false, error: { message: 'Unauthorized', status: 401 } };
    broken -= 1;
    return broken >= 0 ? { ok: false, error: { message: 'Bad Gateway', status: 502 } } : { ok: true };
  };
  const { send: made } = await send({ to: 'telegram:15', idempotencyKey: 'transient' });
  expect(await ended(made?.sendId ?? '', 'sent')).toMatchObject({ accountId: 'work' });
  expect(telegram.sent.filter(({ to, account }) => to === '15' && account === 'spare')).toHaveLength(1);
});

test('an account that failed once is tried again before the breaker of the other one lets a message through', async () => {
  const circuit = JSON.stringify({ state: 'open', failures: 5, lastFailureAt: Date.now() });
  const put = `INSERT INTO channel_health (tenant, channel, account_id, breaker) VALUES ('acme', 'telegram', 'spare', $1::jsonb)
    ON CONFLICT (tenant, channel, account_id) DO UPDATE SET breaker = EXCLUDED.breaker`;
  await mesh.database.query('spec_circuit', put, [circuit]);
  let failed = false;
  telegram.verdict = () => {
    if (failed) return { ok: true };
    failed = true;
    return { ok: false, error: { message: 'Bad Gateway', status: 502 } };
  };
  const { send: made } = await send({ to: 'telegram:16', idempotencyKey: 'alone' });
  expect(await ended(made?.sendId ?? '', 'sent')).toMatchObject({ accountId: 'work', attempts: 2 });
});

test('people who blocked the bot do not take its account down', async () => {
  telegram.verdict = () => ({ ok: false, error: { message: 'Forbidden: bot was blocked by the user', code: '403', status: 403 } });
  for (let n = 0; n < 6; n += 1) {
    const { send: made } = await send({ to: `telegram:2${n}`, idempotencyKey: `blocked-${n}` });
    await ended(made?.sendId ?? '', 'failed');
  }
  const { accounts } = await mesh.call(rpc.channelHealth, { channel: 'telegram' });
  expect(accounts.find(({ accountId }) => accountId === 'work')).toMatchObject({ breaker: 'closed', failures: 0 });
  await waitFor(async () => (await listParked(mesh.bus, { consumer: 'channel-telegram' })).length >= 6, { ...LIMIT, what: 'six dead letters' });
});

describe('a session that shows a send', () => {
  test('is written into by its owner, by who was granted it, and by administrators only', async () => {
    const to = 'telegram:30';
    const sessionKey = 'agent:main:telegram:dm:30';
    const eve = { user: 'eve' };
    await expect(send({ to, idempotencyKey: 'e1' }, eve)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { send: own } = await send({ to, idempotencyKey: 'm1' });
    await ended(own?.sendId ?? '', 'sent');
    await mesh.call(rpc.shareSession, { sessionKey, grantee: 'eve' }, me);
    await expect(send({ to, idempotencyKey: 'e2' }, eve)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await mesh.call(rpc.shareSession, { sessionKey, grantee: 'eve', access: 'write' }, me);
    await expect(send({ to, idempotencyKey: 'e3' }, eve)).resolves.toMatchObject({ cached: false });
    await expect(send({ to, idempotencyKey: 'r1' }, { user: 'root', ...admin })).resolves.toMatchObject({ cached: false });
    await expect(send({ to, idempotencyKey: 'e4', sessionKey: 'agent:main:own' }, eve)).resolves.toMatchObject({ cached: false });
  });

  test('that cannot be prepared never keeps the message from being sent', async () => {
    await mesh.database.query('spec_break', `ALTER TABLE sessions ADD CONSTRAINT spec_no_mirror CHECK (session_key <> 'agent:main:telegram:dm:31')`, []);
    const { send: made } = await send({ to: 'telegram:31', idempotencyKey: 'unshown' });
    await ended(made?.sendId ?? '', 'sent');
    expect(telegram.sent.filter(({ to }) => to === '31')).toHaveLength(1);
    await mesh.database.query('spec_mend', 'ALTER TABLE sessions DROP CONSTRAINT spec_no_mirror', []);
  });
});

test('two accounts in one group hear the same message, and the agent hears it once', async () => {
  const message = { text: 'hello both', messageId: 'both', chat: { kind: 'group' as const, id: '-500' }, sender: { id: '5' } };
  await telegram.receive({ ...message, account: 'work' });
  await telegram.receive({ ...message, account: 'spare' });
  const outcomes = () =>
    mesh.database.query<{ outcome: string }>('spec_both', `SELECT outcome FROM inbound_messages WHERE message_id = 'both' ORDER BY outcome`, []);
  await waitFor(async () => (await outcomes()).length === 2, { ...LIMIT, what: 'both accounts' });
  expect((await outcomes()).map(({ outcome }) => outcome)).toEqual(['accepted', 'other-account']);
  const { messages } = await mesh.call(rpc.getHistory, { sessionKey: 'agent:main:telegram:group:-500' }, me);
  expect(messages.map(({ text }) => text)).toEqual(['hello both']);
});
