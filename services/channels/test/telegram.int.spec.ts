import { waitFor } from '@plexus/testing';
import { telegramAdapter } from '../src/telegram/telegram.adapter.js';
import { ChannelMesh } from './support/channel-mesh.js';
import { BOT_TOKEN, failure, TelegramStandIn } from './support/telegram-stand-in.js';

const FORUM = { id: -1001234, type: 'supergroup', title: 'Operations' };

describe('the telegram adapter', () => {
  let mesh: ChannelMesh;
  let telegram: TelegramStandIn;
  let token: { file: string };
  const settings = (more: Record<string, unknown> = {}) => ({ botToken: token, apiRoot: telegram.url, pollTimeoutSeconds: 2, ...more });

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    telegram = await TelegramStandIn.start();
    token = mesh.secret('bot-token', BOT_TOKEN);
    await mesh.configure({ telegram: { accounts: { main: { settings: settings() } } } });
    await mesh.run(telegramAdapter);
    await mesh.state('main', 'up');
  });
  afterAll(async () => {
    await mesh?.stop();
    await telegram?.stop();
  });

  it('states a direct message, a group message and one in a forum topic as what they are', async () => {
    const direct = telegram.write({ text: 'Hi' });
    const group = telegram.write({ chat: { ...FORUM, id: -77, type: 'group' }, text: 'all of you' });
    const topic = telegram.write({
      chat: FORUM,
      text: '@Plexus_Bot is it green?',
      entities: [{ type: 'mention', offset: 0, length: 11 }],
      is_topic_message: true,
      message_thread_id: 7,
    });
    const seen = async (id: number) => (await mesh.event('message-received', ({ data }) => data.messageId === String(id))).data;
    expect(await seen(direct)).toMatchObject({
      account: 'main',
      chat: { kind: 'dm', id: '99' },
      sender: { id: '99', name: 'Ada L', username: 'ada' },
      text: 'Hi',
      mentionsBot: true,
      receivedAt: '2026-09-21T14:13:20.000Z',
    });
    expect(await seen(group)).toMatchObject({ chat: { kind: 'group', id: '-77', title: 'Operations' }, mentionsBot: false });
    expect(await seen(topic)).toMatchObject({ chat: { kind: 'group', id: '-1001234' }, threadId: '7', mentionsBot: true });
    await waitFor(() => telegram.unconfirmed === 0, { what: 'the updates to be confirmed' });
  });

  it('states a message once although Telegram hands it over twice, and leaves out bots and service messages', async () => {
    telegram.write({ message_id: 5, text: 'once' });
    telegram.write({ message_id: 5, text: 'once' });
    telegram.write({ from: { id: 8, is_bot: true, first_name: 'Bot' }, text: 'from a bot' });
    telegram.write({ text: undefined, new_chat_title: 'x' });
    const last = telegram.write({ caption: 'see', photo: [{ file_id: 'small' }, { file_id: 'large', file_size: 9 }] });
    const { data } = await mesh.event('message-received', (event) => event.data.messageId === String(last));
    expect(data).toMatchObject({ text: 'see', attachments: [{ kind: 'image', id: 'large', sizeBytes: 9 }] });
    expect(mesh.events.filter((event) => event.data.messageId === '5')).toHaveLength(1);
    expect(mesh.events.filter((event) => event.data.text === 'from a bot')).toHaveLength(0);
  });

  it('sends to the right chat and topic and says which message it became', async () => {
    await mesh.send('telegram', { sendId: 'topic', to: '-1001234', chatKind: 'group', threadId: '7', replyToId: '3', text: 'Green', silent: true });
    const { name, source, data } = await mesh.outcome('topic');
    const [call] = telegram.callsOf('sendMessage');
    expect(call?.body).toMatchObject({
      chat_id: -1001234,
      message_thread_id: 7,
      text: 'Green',
      disable_notification: true,
      reply_parameters: { message_id: 3, allow_sending_without_reply: true },
    });
    expect({ name, source, account: data.account }).toEqual({ name: 'send-succeeded', source: 'telegram', account: 'main' });
    expect(data.messageId).toMatch(/^\d+$/);
  });

  it('cuts a long message into parts and sends attachments behind it', async () => {
    const text = Array.from({ length: 900 }, (_, index) => `word${index}`).join(' ');
    await mesh.send('telegram', { sendId: 'long', to: '99', text, attachments: [{ kind: 'image', url: 'https://example.org/a.png' }] });
    await mesh.outcome('long');
    const parts = telegram.callsOf('sendMessage').filter(({ body }) => body.text.startsWith('word'));
    expect(parts.length).toBe(2);
    expect(parts.map(({ body }) => body.text).join(' ')).toBe(text);
    expect(telegram.callsOf('sendPhoto')[0]?.body).toMatchObject({ chat_id: 99, photo: 'https://example.org/a.png' });
  });

  it('sends a repeated command once and goes on with the missing part of a broken one', async () => {
    await mesh.send('telegram', { sendId: 'twice', to: '99', text: 'only once' });
    await mesh.outcome('twice');
    await mesh.send('telegram', { sendId: 'twice', to: '99', text: 'only once' });
    await mesh.send('telegram', { sendId: 'twice', attempt: 2, to: '99', text: 'only once' });
    expect((await mesh.outcome('twice', 2)).name).toBe('send-succeeded');
    expect(telegram.calls.filter(({ body }) => body?.text === 'only once')).toHaveLength(1);

    telegram.once('sendPhoto', failure(500, 'Internal Server Error'));
    const send = { sendId: 'broken', to: '99', text: 'first part', attachments: [{ kind: 'image' as const, url: 'https://example.org/b.png' }] };
    await mesh.send('telegram', send);
    expect((await mesh.outcome('broken')).data.error).toMatchObject({ code: '500', status: 500 });
    await mesh.send('telegram', { ...send, attempt: 2 });
    expect((await mesh.outcome('broken', 2)).name).toBe('send-succeeded');
    expect(telegram.calls.filter(({ body }) => body?.text === 'first part')).toHaveLength(1);
  });

  it.each([
    ['a request to wait', failure(429, 'Too Many Requests: retry after 1', { retry_after: 1 }), { code: '429', status: 429, retryAfterMs: 1_000 }],
    ['a wrong chat', failure(400, 'Bad Request: chat not found'), { code: '400', status: 400, message: 'Bad Request: chat not found' }],
    [
      'a blocked bot',
      failure(403, 'Forbidden: bot was blocked by the user'),
      { code: 'TARGET_REFUSED', status: 403, message: 'Forbidden: bot was blocked by the user' },
    ],
    ['a revoked token', failure(401, 'Unauthorized'), { code: 'AUTH_FAILED', status: 401 }],
    ['a broken server', failure(502, 'Bad Gateway'), { code: '502', status: 502 }],
  ])('reports %s with its code', async (what, reply, error) => {
    telegram.once('sendMessage', reply);
    await mesh.send('telegram', { sendId: what, to: '98', text: what });
    const { name, data } = await mesh.outcome(what);
    expect(name).toBe('send-failed');
    expect(data.error).toMatchObject(error);
    expect(JSON.stringify(data)).not.toContain(BOT_TOKEN);
  });

  it('follows a group that has become a supergroup', async () => {
    telegram.once('sendMessage', failure(400, 'Bad Request: group chat was upgraded', { migrate_to_chat_id: -100999 }));
    await mesh.send('telegram', { sendId: 'moved', to: '-99', text: 'moved' });
    expect((await mesh.outcome('moved')).name).toBe('send-succeeded');
    expect(telegram.callsOf('sendMessage').at(-1)?.body.chat_id).toBe(-100999);
  });

  it('refuses what cannot be sent: no such account, no such chat, too late, nothing', async () => {
    await mesh.send('telegram', { sendId: 'nobody', account: 'nobody', to: '1' });
    await mesh.send('telegram', { sendId: 'target', to: 'everybody' });
    await mesh.send('telegram', { sendId: 'late', to: '1', deadlineAt: '2020-01-01T00:00:00.000Z' });
    await mesh.send('telegram', { sendId: 'empty', to: '1', text: ' ' });
    const codes = await Promise.all(['nobody', 'target', 'late', 'empty'].map(async (id) => (await mesh.outcome(id)).data.error.code));
    expect(codes).toEqual(['ACCOUNT_UNKNOWN', 'BAD_TARGET', 'DEADLINE_EXCEEDED', 'EMPTY_MESSAGE']);
  });

  it('shows a poll that fails, and goes on', async () => {
    telegram.once('getUpdates', failure(502, 'Bad Gateway'));
    telegram.write({ text: 'wakes the poll' });
    expect((await mesh.state('main', 'degraded')).data.reason).toBe('Bad Gateway');
    await mesh.state('main', 'up', 2);
    const after = telegram.write({ text: 'after the trouble' });
    await mesh.event('message-received', ({ data }) => data.messageId === String(after));
  });

  it('shows an account whose platform cannot be reached, and connects it as soon as it can', async () => {
    const late = await TelegramStandIn.start();
    late.isAway = true;
    await mesh.configure({ telegram: { accounts: { main: { settings: settings() }, late: { settings: settings({ apiRoot: late.url }) } } } });
    expect((await mesh.state('late', 'degraded')).data.reason).toContain('ECONNRESET');
    await mesh.send('telegram', { sendId: 'too-early', account: 'late', to: '1' });
    expect((await mesh.outcome('too-early')).data.error).toMatchObject({ code: 'ACCOUNT_DOWN', status: 503 });
    late.isAway = false;
    await mesh.state('late', 'up');
    await mesh.configure({ telegram: { accounts: { main: { settings: settings() } } } });
    await mesh.state('late', 'down');
    await late.stop();
  });

  it('lets Telegram call, who has to show the secret', async () => {
    const publicUrl = 'https://plexus.example/channels/telegram/acme/hooked';
    const secret = 'a-secret-for-telegram';
    const hooked = { settings: settings({ mode: 'webhook', publicUrl, webhookSecret: mesh.secret('hook', secret) }) };
    await mesh.configure({ telegram: { accounts: { main: { settings: settings() }, hooked } } });
    await mesh.state('hooked', 'up');
    const address = `${await mesh.platforms()}${new URL(publicUrl).pathname}`;
    expect(telegram.callsOf('setWebhook')[0]?.body).toMatchObject({ url: publicUrl, secret_token: secret });
    const update = (id: number) =>
      JSON.stringify({ update_id: id, message: { message_id: id, date: 1, chat: { id: 5, type: 'private' }, from: { id: 5 }, text: 'called' } });
    const call = (body: string, headers: Record<string, string> = {}) => fetch(address, { method: 'POST', body, headers });
    const header = { 'x-telegram-bot-api-secret-token': secret };
    const answers = [
      await call(update(1)),
      await call(update(2), { 'x-telegram-bot-api-secret-token': 'wrong' }),
      await call('{', header),
      await call(update(3), header),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 400, 200]);
    await mesh.event('message-received', ({ data }) => data.account === 'hooked' && data.messageId === '3');
    expect(mesh.events.filter(({ data }) => data.text === 'called')).toHaveLength(1);
  });

  it('keeps tenants apart that call their accounts the same', async () => {
    const theirs = await TelegramStandIn.start();
    try {
      await mesh.configure({ telegram: { accounts: { main: { settings: settings({ apiRoot: theirs.url }) } } } }, 'other');
      await mesh.event('account-state', ({ tenant }) => tenant === 'other');
      theirs.write({ text: 'from the other tenant' });
      expect((await mesh.event('message-received', ({ data }) => data.text === 'from the other tenant')).tenant).toBe('other');
      await mesh.send('telegram', { sendId: 'theirs', to: '99', text: 'to the other tenant' }, 'other');
      expect((await mesh.outcome('theirs')).tenant).toBe('other');
      expect(theirs.callsOf('sendMessage')).toHaveLength(1);
      expect(telegram.calls.some(({ body }) => body?.text === 'to the other tenant')).toBe(false);
    } finally {
      await mesh.configure({}, 'other');
      await mesh.event('account-state', ({ tenant, data }) => tenant === 'other' && data.state === 'down');
      await theirs.stop();
    }
  });

  it('starts and stops single accounts as the configuration changes, and shows one whose token is wrong', async () => {
    const main = { settings: settings() };
    const wrong = { settings: settings({ botToken: mesh.secret('wrong-token', BOT_TOKEN.replace('12345678', '87654321')) }) };
    const missing = { settings: settings({ botToken: { env: 'NO_SUCH_VARIABLE' } }) };
    const meCalls = telegram.callsOf('getMe').length;
    await mesh.configure({ telegram: { accounts: { main, wrong, missing, off: { ...main, enabled: false } } } });
    expect((await mesh.state('wrong', 'down')).data.reason).toBe('Unauthorized');
    expect((await mesh.state('missing', 'down')).data.reason).toContain('NO_SUCH_VARIABLE is not set');
    await mesh.send('telegram', { sendId: 'to-wrong', account: 'wrong', to: '1' });
    expect((await mesh.outcome('to-wrong')).data.error).toMatchObject({ code: 'ACCOUNT_DOWN', status: 503 });
    expect(telegram.callsOf('getMe').filter(({ path }) => path.includes(BOT_TOKEN))).toHaveLength(meCalls);

    await mesh.configure({ telegram: { accounts: {} } });
    expect((await mesh.state('main', 'down')).data.reason).toBe('not configured any more');
    await mesh.send('telegram', { sendId: 'removed', to: '1' });
    expect((await mesh.outcome('removed')).data.error.code).toBe('ACCOUNT_UNKNOWN');
    await mesh.configure({ telegram: { accounts: { main } } });
    const back = telegram.write({ text: 'back' });
    await mesh.event('message-received', ({ data }) => data.messageId === String(back));
    expect(mesh.events.some(({ data }) => data.account === 'off')).toBe(false);
  });
});
