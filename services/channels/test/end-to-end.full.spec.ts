import { connectBus } from '@plexus/bus';
import { OPERATOR_ROLE, statePaths } from '@plexus/local-stack';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BOT_TOKEN, failure, TelegramStandIn } from './support/telegram-stand-in.js';

const FORUM = { id: -1001234, type: 'supergroup', title: 'Operations' };

describe('a telegram bot of a whole mesh', () => {
  let mesh: TestMesh;
  let telegram: TelegramStandIn;
  /** Where the second account talks to. */
  let other: TelegramStandIn;

  beforeAll(async () => {
    [telegram, other] = await Promise.all([TelegramStandIn.start(), TelegramStandIn.start()]);
    mesh = await startTestMesh({ env: { ROUTING_BREAKER_RESET_MS: '1000' } });
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
    await telegram?.stop();
    await other?.stop();
  }, 180_000);

  const request = (method: string, where: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${mesh.gateway.http}${where}`, {
      method,
      headers: { authorization: `Bearer ${mesh.token}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const channelPids = () => Object.keys(mesh.pids()).filter((name) => name.startsWith('channel-'));
  const configure = async (channels: unknown) => {
    const etag = (await request('GET', '/v1/config')).headers.get('etag') ?? '';
    const answer = await request('PUT', '/v1/config', { agents: { list: [{ id: 'main', default: true }] }, channels }, { 'if-match': etag });
    if (!answer.ok) throw new Error(`PUT /v1/config → ${answer.status} ${await answer.text()}`);
  };
  const account = (platform = telegram) => {
    const file = path.join(mesh.stateDir, '..', 'bot-token');
    writeFileSync(file, BOT_TOKEN, { mode: 0o600 });
    return { dmPolicy: 'open', groupPolicy: 'open', settings: { botToken: { file }, apiRoot: platform.url, pollTimeoutSeconds: 2 } };
  };
  const sent = (text: string) => telegram.callsOf('sendMessage').filter(({ body }) => String(body.text).includes(text));

  it('has no process before the configuration names an account, and one from then on', async () => {
    expect(channelPids()).toEqual([]);
    await configure({ telegram: { accounts: { work: account() } } });
    await waitFor(() => channelPids().includes('channel-telegram'), { timeoutMs: 60_000, what: 'the process of the adapter' });
    await waitFor(() => telegram.callsOf('getUpdates').length > 0, { what: 'the bot to ask for updates' });
  }, 180_000);

  it('answers a message in its chat and topic, and keeps both in the session of that topic', async () => {
    telegram.write({ chat: FORUM, text: 'is the build green?', is_topic_message: true, message_thread_id: 7 });
    const [answer] = await waitFor(() => (sent('is the build green?').length > 0 ? sent('is the build green?') : undefined), {
      timeoutMs: 90_000,
      what: 'the answer to reach the platform',
    });
    expect(answer?.body).toMatchObject({ chat_id: -1001234, message_thread_id: 7 });
    const key = encodeURIComponent('agent:main:telegram:group:-1001234:topic:7');
    const history = await waitFor(
      async () => {
        const { messages } = (await (await request('GET', `/v1/sessions/${key}/history`)).json()) as { messages: { role: string; text: string }[] };
        return messages.length >= 2 ? messages : undefined;
      },
      { what: 'the transcript' },
    );
    expect(history.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(history[0]?.text).toBe('is the build green?');
    expect(answer?.body.text).toBe(history[1]?.text);
  }, 180_000);

  it('loses no message when its adapter is killed, and tries a send again that Telegram refused for a moment', async () => {
    await mesh.kill('channel-telegram');
    telegram.once('sendMessage', failure(502, 'Bad Gateway'));
    telegram.write({ chat: { id: 99, type: 'private', first_name: 'Ada' }, text: 'written while nobody listened' });
    const [answer] = await waitFor(() => (sent('written while nobody listened').length > 1 ? sent('written while nobody listened').slice(1) : undefined), {
      timeoutMs: 90_000,
      what: 'the second try',
    });
    expect(answer?.body).toMatchObject({ chat_id: 99 });
  }, 180_000);

  it('hands over to the second account when the first one fails five times, and comes back when it has recovered', async () => {
    await configure({ telegram: { defaultAccount: 'work', accounts: { work: account(), spare: account(other) } } });
    await waitFor(() => other.callsOf('getUpdates').length > 0, { what: 'the second bot to ask for updates' });
    const seed = readFileSync(statePaths(mesh.stateDir).nkeySeed(OPERATOR_ROLE), 'utf8').trim();
    const operator = await connectBus({ service: 'operator', servers: mesh.nats, credentials: { nkeySeed: seed }, allowAnonymous: true });
    const told: string[] = [];
    const reading = operator.readOrdered('PLEXUS_EVT_ROUTING', { filter: 'plexus.evt.default.routing.>', from: 'all' }, ({ parsed }) => {
      told.push(parsed?.name ?? '');
    });
    try {
      telegram.sendsFail = failure(500, 'Internal Server Error');
      for (let n = 1; n <= 6; n += 1) telegram.write({ chat: { id: 200 + n, type: 'private' }, text: `trouble ${n}` });
      await waitFor(() => new Set(other.callsOf('sendMessage').map(({ body }) => body.chat_id)).size === 6, {
        timeoutMs: 90_000,
        what: 'six answers by the second account',
      });
      await waitFor(() => told.includes('breaker-opened'), { what: 'the breaker to open' });
      telegram.sendsFail = undefined;
      await waitFor(
        () => {
          telegram.write({ chat: { id: 300, type: 'private' }, text: 'are you back?' });
          return told.includes('breaker-closed');
        },
        { timeoutMs: 60_000, intervalMs: 1_000, what: 'the breaker to close' },
      );
      expect(telegram.callsOf('sendMessage').some(({ body }) => body.chat_id === 300)).toBe(true);
    } finally {
      await reading.stop();
      await operator.close();
    }
  }, 240_000);

  it('loses its process with the last account', async () => {
    await configure({ telegram: { accounts: { work: { ...account(), enabled: false } } } });
    await waitFor(() => channelPids().length === 0, { timeoutMs: 60_000, what: 'the end of the process' });
    await mesh.whole();
  }, 180_000);
});
