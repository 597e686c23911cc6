import { routingContracts as rpc } from '@plexus/contracts';
import { listParked, redrive, showParked } from '@plexus/bus';
import { waitFor } from '@plexus/testing';
import { admin, type RoutingMesh, startRoutingMesh } from './support/routing-mesh.js';
import { StandInAdapter } from './support/stand-in-adapter.js';

let mesh: RoutingMesh;
let telegram: StandInAdapter;
const LIMIT = { timeoutMs: 60_000 };
const open = { dmPolicy: 'open', groupPolicy: 'open' };
const config = {
  agents: {
    list: [
      { id: 'main', default: true },
      { id: 'ops', owner: 'olga' },
    ],
  },
  bindings: [{ agentId: 'ops', match: { channel: 'telegram', accountId: '*', peer: { kind: 'group', id: '-100' } } }],
  session: { dmScope: 'per-channel-peer', identityLinks: { zoe: ['telegram:77'] } },
  defaultOwner: 'me',
  messages: { queue: { debounceMs: 0 } },
  channels: {
    telegram: {
      defaultAccount: 'work',
      accounts: { work: open, spare: { ...open }, strict: {}, listed: { dmPolicy: 'allowlist', allowFrom: ['telegram:8', '@Bea'] }, off: { enabled: false } },
    },
  },
};

beforeAll(async () => {
  mesh = await startRoutingMesh(2, { ROUTING_BREAKER_RESET_MS: 1_500, ROUTING_PAIRING_OPEN: 3 });
  await mesh.configure(config);
  telegram = new StandInAdapter(mesh.bus).start();
});
afterAll(async () => {
  await telegram.stop();
  await mesh.stop();
});
beforeEach(() => {
  telegram.verdict = () => ({ ok: true });
});

const history = async (sessionKey: string, user = 'me') => (await mesh.call(rpc.getHistory, { sessionKey }, { user })).messages;
const sessionOf = async (sessionKey: string, user = 'me') => (await mesh.call(rpc.describeSession, { sessionKey }, { user })).session;
const outcomes = (messageId: string) =>
  mesh.database.query<{ outcome: string; run_id: string | null; config_revision: number }>(
    'spec_inbound',
    'SELECT outcome, run_id, config_revision FROM inbound_messages WHERE message_id = $1',
    [messageId],
  );
const outcomeOf = (messageId: string) => waitFor(async () => (await outcomes(messageId))[0], { ...LIMIT, what: `outcome of ${messageId}` });
const sentTo = (chat: string) => telegram.sent.filter(({ to }) => to === chat);

/** Somebody writes, the agent answers. */
async function converse(text: string, answer: string, message: Parameters<StandInAdapter['receive']>[0] | object = {}) {
  const messageId = await telegram.receive({ text, ...message });
  const { run_id: runId } = await outcomeOf(messageId);
  const [run] = await waitFor(
    async () => {
      const rows = await mesh.database.query<{ session_id: string; session_key: string; status: string }>(
        'spec_run',
        'SELECT session_id, session_key, status FROM runs WHERE run_id = $1',
        [runId],
      );
      return rows[0]?.status === 'started' ? rows : undefined;
    },
    { ...LIMIT, what: `run of ${messageId} to start` },
  );
  if (!run || runId === null) throw new Error('no run');
  await mesh.event({ sessionId: run.session_id, sessionKey: run.session_key, runId }, { type: 'execution_complete', content: answer });
  return { messageId, runId, ...run };
}

test('a message comes in, the answer goes to its account, chat and thread, and the transcript stands in the session of that topic', async () => {
  const chat = { kind: 'group' as const, id: '-100', title: 'Operations' };
  await converse('is it green?', 'Green.', { chat, threadId: '7', sender: { id: '99', name: 'Bob' } });
  const [sent] = await waitFor(() => (sentTo('-100').length > 0 ? sentTo('-100') : undefined), LIMIT);
  expect(sent).toMatchObject({ account: 'work', to: '-100', chatKind: 'group', threadId: '7', text: 'Green.', attempt: 1 });
  const key = 'agent:ops:telegram:group:-100:topic:7';
  expect((await history(key, 'olga')).map(({ role, text, sender }) => [role, text, sender?.name])).toEqual([
    ['user', 'is it green?', 'Bob'],
    ['assistant', 'Green.', undefined],
  ]);
  expect(await sessionOf(key, 'olga')).toMatchObject({
    chatType: 'group',
    channel: 'telegram',
    threadId: '7',
    lastRoute: { channel: 'telegram', accountId: 'work', to: '-100', threadId: '7' },
    origin: { provider: 'telegram', from: 'telegram:group:-100' },
  });
  const [{ revision }] = (await mesh.database.query('spec_revision', `SELECT config_revision AS revision FROM runs WHERE session_key = $1`, [key])) as [
    { revision: number },
  ];
  expect(revision).toBeGreaterThan(0);
});

test('the same message given to both replicas many times over is processed once', async () => {
  const messageId = 'same-1';
  const again = () => telegram.receive({ text: 'once', messageId, chat: { kind: 'dm', id: '500' }, sender: { id: '500' } });
  await Promise.all(Array.from({ length: 20 }, again));
  await outcomeOf(messageId);
  // Whatever still comes is settled before a later message of the same stream.
  const later = await telegram.receive({ text: 'later', chat: { kind: 'dm', id: '501' }, sender: { id: '501' } });
  await outcomeOf(later);
  expect(await outcomes(messageId)).toHaveLength(1);
  expect((await history('agent:main:telegram:dm:500')).map(({ text }) => text)).toEqual(['once']);
});

test('/stop written in a chat ends the run of that chat and is answered there', async () => {
  const there = { chat: { kind: 'dm' as const, id: '510' }, sender: { id: '510' } };
  const { run_id: runId } = await outcomeOf(await telegram.receive({ text: 'a long task', ...there }));
  await outcomeOf(await telegram.receive({ text: '/stop', ...there }));
  await waitFor(() => sentTo('510').some(({ text }) => text === 'Stopped.'), { ...LIMIT, what: 'the answer to /stop' });
  const cancelled = async () => (await mesh.commands()).some(({ name, data }) => name === 'cancel' && data.runId === runId);
  await waitFor(cancelled, { ...LIMIT, what: 'the order to stop' });
});

test('an identity link makes a conversation the own one of that user', async () => {
  await converse('hi', 'hello', { chat: { kind: 'dm', id: '77' }, sender: { id: '77' } });
  expect((await history('agent:main:telegram:dm:zoe', 'zoe')).map(({ text }) => text)[0]).toBe('hi');
  expect(await history('agent:main:telegram:dm:zoe')).toEqual([]);
});

describe('only who may', () => {
  test.each([
    ['another adapter', { source: 'slack' }, {}, 'CHANNEL_NOT_CONFIGURED'],
    ['an unknown account', {}, { account: 'nobody' }, 'CHANNEL_NOT_CONFIGURED'],
    ['a disabled account', {}, { account: 'off' }, 'CHANNEL_NOT_CONFIGURED'],
    ['a key of another account', { key: 'spare' }, {}, 'INVALID_EVENT'],
    ['an unknown tenant', { tenant: 'nowhere' }, {}, 'UNKNOWN_TENANT'],
  ])('%s ends among the dead letters and reaches no agent', async (what, from, message, code) => {
    const text = `bad: ${what}`;
    await telegram.receive({ text, messageId: what, ...message }, from);
    const letterOf = async () => {
      for (const { seq } of await listParked(mesh.bus, { consumer: 'routing-inbound' })) {
        const letter = await showParked(mesh.bus, seq);
        if (letter && Buffer.from(letter.body).includes(text)) return letter;
      }
      return undefined;
    };
    expect(await waitFor(letterOf, { ...LIMIT, what: `the dead letter of ${what}` })).toMatchObject({ code });
    expect(await outcomes(what)).toEqual([]);
    expect(await mesh.database.query('spec_text', 'SELECT 1 AS one FROM messages WHERE text = $1', [text])).toEqual([]);
  });

  test('a list admits by id and by name; others are refused and counted', async () => {
    const write = (id: string, more = {}) => telegram.receive({ text: 'x', account: 'listed', chat: { kind: 'dm', id }, sender: { id, ...more } });
    expect(await outcomeOf(await write('8'))).toMatchObject({ outcome: 'accepted' });
    expect(await outcomeOf(await write('9', { username: 'bea' }))).toMatchObject({ outcome: 'accepted' });
    expect(await outcomeOf(await write('10', { username: '8' }))).toMatchObject({ outcome: 'dm-not-listed', run_id: null });
    const group = await telegram.receive({ text: 'x', account: 'listed', chat: { kind: 'group', id: '-9' }, sender: { id: '10' } });
    expect(await outcomeOf(group)).toMatchObject({ outcome: 'group-not-listed' });
  });

  test('a stranger gets one code, is let in with it, and only then reaches the agent', async () => {
    const write = (text: string) => telegram.receive({ text, account: 'strict', chat: { kind: 'dm', id: '901' }, sender: { id: '901', name: 'Eve' } });
    expect(await outcomeOf(await write('let me in'))).toMatchObject({ outcome: 'pairing', run_id: null });
    const [told] = await waitFor(() => (sentTo('901').length > 0 ? sentTo('901') : undefined), LIMIT);
    expect(await outcomeOf(await write('please'))).toMatchObject({ outcome: 'pairing-open' });
    const { requests } = await mesh.call(rpc.listPairings, {}, { scopes: ['operator.pairing'] });
    const code = requests.find(({ senderId }) => senderId === '901')?.code ?? '';
    expect(code).toMatch(/^[A-HJKMNP-TV-Z2-9]{8}$/);
    expect(told?.text).toContain(code);
    expect(sentTo('901')).toHaveLength(1);
    await expect(mesh.call(rpc.approvePairing, { code }, { tenant: 'other', scopes: ['operator.pairing'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(mesh.call(rpc.approvePairing, { code })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(
      mesh.call(rpc.approvePairing, { code: ` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)} ` }, { scopes: ['operator.pairing'] }),
    ).resolves.toEqual({
      channel: 'telegram',
      account: 'strict',
      senderId: '901',
      senderName: 'Eve',
    });
    expect(await outcomeOf(await write('now?'))).toMatchObject({ outcome: 'accepted' });
    await expect(mesh.call(rpc.approvePairing, { code }, { scopes: ['operator.pairing'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const elsewhere = await telegram.receive({ text: 'x', account: 'listed', chat: { kind: 'dm', id: '901' }, sender: { id: '901' } });
    expect(await outcomeOf(elsewhere)).toMatchObject({ outcome: 'dm-not-listed' });
  });

  test('guessing codes ends after ten, and strangers beyond the limit get no code', async () => {
    const guess = (code: string) => mesh.call(rpc.approvePairing, { code }, { user: 'mallory', scopes: ['operator.pairing'] });
    for (let n = 0; n < 10; n += 1) await expect(guess(`AAAA${n}`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(guess('AAAA99')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    const results = [];
    for (const id of ['911', '912', '913', '914', '915']) {
      results.push((await outcomeOf(await telegram.receive({ text: 'x', account: 'strict', chat: { kind: 'dm', id }, sender: { id } }))).outcome);
    }
    expect(results).toEqual(['pairing', 'pairing', 'pairing', 'pairing-full', 'pairing-full']);
  });

  test('somebody who was rejected hears nothing more', async () => {
    const write = () => telegram.receive({ text: 'x', account: 'work', chat: { kind: 'dm', id: '950' }, sender: { id: '950' } });
    await mesh.database.query('spec_reject', `INSERT INTO channel_admissions VALUES ('acme', 'telegram', 'work', '950', 'rejected', 'me')`, []);
    expect(await outcomeOf(await write())).toMatchObject({ outcome: 'rejected' });
    expect(sentTo('950')).toEqual([]);
  });
});

describe('send', () => {
  const send = (more: object, as: object = {}) =>
    mesh.call(rpc.sendMessage, { channel: 'telegram', to: 'telegram:600', text: 'hello', idempotencyKey: 'k', ...more }, { user: 'me', ...as });
  const ended = (sendId: string, status: string) =>
    waitFor(async () => ((await mesh.call(rpc.getSend, { sendId }, { user: 'me' })).send?.status === status ? true : undefined), {
      ...LIMIT,
      what: `${sendId} to be ${status}`,
    });

  test('sends once per key, and shows the message in the session of its target, which is made for it', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => send({ idempotencyKey: 'once' })));
    expect(new Set(answers.map(({ send: made }) => made?.sendId)).size).toBe(1);
    expect(answers.filter(({ cached }) => !cached)).toHaveLength(1);
    await ended(answers[0]?.send?.sendId ?? '', 'sent');
    expect(sentTo('600').map(({ text, account }) => [text, account])).toEqual([['hello', 'work']]);
    const key = 'agent:main:telegram:dm:600';
    await waitFor(async () => (await history(key)).length === 1, { ...LIMIT, what: 'the mirror' });
    expect((await history(key))[0]).toMatchObject({ role: 'assistant', text: 'hello' });
    expect(await sessionOf(key)).toMatchObject({ chatType: 'direct', lastRoute: { to: '600' }, origin: { to: 'telegram:600' } });
    expect(await history('agent:main:main', 'ada')).toEqual([]);
    await expect(send({ idempotencyKey: 'once', text: 'other' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('a provided session key is used in lower case, and a dry run leaves nothing behind', async () => {
    const dry = await send({ to: 'telegram:601', idempotencyKey: 'dry', dryRun: true });
    expect(dry).toMatchObject({ cached: false, route: { sessionKey: 'agent:main:telegram:dm:601', to: 'telegram:601' } });
    expect(dry).not.toHaveProperty('send');
    const { send: made } = await send({
      to: 'telegram:601',
      idempotencyKey: 'own',
      sessionKey: 'Agent:Ops:Log',
      attachments: [{ kind: 'file', url: 'https://x/y/report.pdf?sig=1' }],
    });
    await ended(made?.sendId ?? '', 'sent');
    await waitFor(async () => (await history('agent:ops:log', 'me')).length === 1, LIMIT);
    expect((await history('agent:ops:log', 'me'))[0]?.text).toBe('report.pdf');
    expect(await sessionOf('agent:main:telegram:dm:601')).toBeUndefined();
  });

  test.each([
    ['a channel that nobody configured', { channel: 'carrier-pigeon' }, 'CHANNEL_NOT_CONFIGURED'],
    ['an account that nobody configured', { accountId: 'ghost' }, 'CHANNEL_NOT_CONFIGURED'],
    ['a target that names nobody', { to: 'telegram:' }, 'INVALID_TARGET'],
    ['an agent that does not exist', { agentId: 'ghost' }, 'NOT_FOUND'],
    ['nothing to say', { text: '  ' }, 'INVALID_REQUEST'],
    ['a NUL', { text: 'a\u0000b' }, 'INVALID_REQUEST'],
  ])('%s is refused with a code', async (_what, more, code) => {
    await expect(send({ idempotencyKey: `bad-${code}`, ...more })).rejects.toMatchObject({ code });
  });

  test('sends of another user cannot be seen', async () => {
    const { send: made } = await send({ idempotencyKey: 'mine' });
    expect(await mesh.call(rpc.getSend, { sendId: made?.sendId ?? '' }, { user: 'eve' })).toEqual({});
    await expect(send({ idempotencyKey: 'x' }, { scopes: ['operator.read'] })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
  });

  test('what the platform refuses is not repeated and becomes a dead letter that can be sent again', async () => {
    telegram.verdict = () => ({ ok: false, error: { message: 'Bad Request: chat not found', status: 400 } });
    const { send: made } = await send({ to: 'telegram:602', idempotencyKey: 'refused' });
    const sendId = made?.sendId ?? '';
    await ended(sendId, 'failed');
    expect(sentTo('602')).toHaveLength(1);
    const letter = await waitFor(async () => (await listParked(mesh.bus, { consumer: 'channel-telegram' })).at(-1), LIMIT);
    expect(letter).toMatchObject({ code: 'DELIVERY_FAILED', attempts: 1 });
    telegram.verdict = () => ({ ok: true });
    await redrive(mesh.bus, letter.seq);
    await ended(sendId, 'sent');
  });

  test('five failures open the breaker, the second account takes over, recovery closes it again; everybody is told', async () => {
    telegram.verdict = ({ account }) => (account === 'work' ? { ok: false, error: { message: 'Bad Gateway', status: 502 } } : { ok: true });
    for (let n = 0; n < 5; n += 1) {
      const { send: made } = await send({ to: `telegram:70${n}`, idempotencyKey: `breaker-${n}` });
      await ended(made?.sendId ?? '', 'sent');
      expect(sentTo(`70${n}`).map(({ account }) => account)[0]).toBe('work');
      expect(
        sentTo(`70${n}`)
          .map(({ account }) => account)
          .at(-1),
      ).not.toBe('work');
    }
    const health = async () => (await mesh.call(rpc.channelHealth, { channel: 'telegram' })).accounts.find(({ accountId }) => accountId === 'work');
    expect((await health())?.breaker).toBe('open');
    telegram.verdict = () => ({ ok: true });
    let n = 0;
    await waitFor(
      async () => {
        n += 1;
        const { send: made } = await send({ to: `telegram:8${n}`, idempotencyKey: `recover-${n}` });
        await ended(made?.sendId ?? '', 'sent');
        return (await health())?.breaker === 'closed';
      },
      { ...LIMIT, what: 'the breaker to close' },
    );
    const told: string[] = [];
    const reading = mesh.bus.readOrdered('PLEXUS_EVT_ROUTING', { filter: 'plexus.evt.acme.routing.*.v1.work', from: 'all' }, (message) => {
      told.push(message.json<{ data: { event: string } }>().data.event);
    });
    await waitFor(() => told.length >= 3, { ...LIMIT, what: 'breaker events' });
    await reading.stop();
    expect(told.slice(0, 3)).toEqual(['relay.circuit_breaker.open', 'relay.circuit_breaker.half_open', 'relay.circuit_breaker.close']);
  });
});

test('a person is forgotten: sessions, events and sends are gone, the receipt is there, and missing services are named', async () => {
  const { sessionId } = await mesh.call(rpc.acceptMessage, { sessionKey: 'diary', message: 'secret' }, { user: 'gone' });
  await waitFor(async () => (await mesh.events('message', sessionId)).length === 1, LIMIT);
  await expect(mesh.call(rpc.eraseUser, { user: 'gone' })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
  const { erasureId } = await mesh.call(rpc.eraseUser, { user: 'gone' }, admin);
  const done = await waitFor(
    async () => {
      const erasure = await mesh.call(rpc.getErasure, { erasureId }, admin);
      return erasure.receipts.length > 0 ? erasure : undefined;
    },
    { ...LIMIT, what: 'the receipt of routing' },
  );
  expect(done).toMatchObject({ complete: false, missing: ['push', 'memory', 'scheduler'], receipts: [{ service: 'routing', counts: { sessions: 1 } }] });
  expect(await history('diary', 'gone')).toEqual([]);
  expect(await mesh.events('message', sessionId)).toEqual([]);
  await expect(mesh.call(rpc.getErasure, { erasureId }, { ...admin, tenant: 'other' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('an erasure reaches sessions that were deleted before, names of channels in any case, and what a worker still says afterwards', async () => {
  await mesh.configure({ ...config, session: { ...config.session, identityLinks: { leaver: ['telegram:ABC'] } } });
  const leaver = { user: 'leaver', scopes: ['operator.admin'] };
  const run = await mesh.call(rpc.acceptMessage, { sessionKey: 'old', message: 'secret' }, leaver);
  const late = () => mesh.event({ sessionId: run.sessionId, sessionKey: 'agent:main:old', runId: run.runId }, { type: 'text_chunk', content: 'secret' });
  await late();
  await mesh.call(rpc.deleteSession, { sessionKey: 'old' }, leaver);
  await waitFor(async () => (await mesh.events('changed', run.sessionId)).length === 2, { ...LIMIT, what: 'the deletion in the stream' });
  const written = await telegram.receive({ text: 'x', account: 'listed', chat: { kind: 'dm', id: 'abc' }, sender: { id: 'abc' } });
  await outcomeOf(written);
  const { erasureId } = await mesh.call(rpc.eraseUser, { user: 'leaver' }, admin);
  const receipt = () => mesh.call(rpc.getErasure, { erasureId }, admin).then(({ receipts }) => receipts.find(({ service }) => service === 'routing'));
  await waitFor(receipt, { ...LIMIT, what: 'the receipt of routing' });
  expect(await outcomes(written)).toEqual([]);
  expect(await mesh.events('event', run.sessionId)).toEqual([]);
  await late();
  await mesh.database.query('spec_purge', `UPDATE gone_sessions SET purge_at = now(), gone_at = now() - interval '1 hour' WHERE session_id = $1`, [
    run.sessionId,
  ]);
  await waitFor(async () => (await mesh.events('event', run.sessionId)).length === 0, { ...LIMIT, what: 'the late event to go' });
  const left = () => mesh.database.query('spec_left', 'SELECT 1 AS one FROM gone_sessions WHERE owner = $1', ['leaver']);
  await waitFor(async () => (await left()).length === 0, { ...LIMIT, what: 'nothing to be left of the person' });
});
