import { waitFor } from '@plexus/testing';
import { Latch } from '../src/kit/latch.js';
import { ChannelMesh } from './support/channel-mesh.js';
import { HttpStandIn } from './support/http-stand-in.js';
import { APP_TOKEN, BOT_TOKEN as SLACK_TOKEN, SlackStandIn } from './support/slack-stand-in.js';
import { BOT_TOKEN, TelegramStandIn } from './support/telegram-stand-in.js';

describe('an adapter that is killed', () => {
  let mesh: ChannelMesh;
  let telegram: TelegramStandIn;

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    telegram = await TelegramStandIn.start();
  });
  afterEach(() => mesh.stopAdapters());
  afterAll(async () => {
    await mesh?.stop();
    await telegram?.stop();
  });

  const useTelegram = () =>
    mesh.configure({ telegram: { accounts: { main: { settings: { botToken: mesh.secret('t', BOT_TOKEN), apiRoot: telegram.url, pollTimeoutSeconds: 1 } } } } });

  it('between what Telegram handed it and what it stored loses no message and states none twice', async () => {
    await useTelegram();
    const first = await mesh.spawn('telegram');
    await mesh.state('main', 'up');
    telegram.write({ text: 'before the outage' });
    await mesh.event('message-received', ({ data }) => data.text === 'before the outage');
    // The store is away: what is received now cannot be stored, and so must not be confirmed.
    await mesh.nats.kill();
    const polls = telegram.callsOf('getUpdates').length;
    const ids = ['one', 'two', 'three'].map((text) => telegram.write({ text }));
    await waitFor(() => telegram.callsOf('getUpdates').length > polls, { what: 'the adapter to be handed the messages' });
    await first.end('SIGKILL');
    expect(telegram.unconfirmed).toBeGreaterThanOrEqual(3);
    await mesh.nats.restart();
    await waitFor(() => mesh.operator.isConnected(), { what: 'the test to be connected again' });
    await mesh.spawn('telegram');
    for (const id of ids) await mesh.event('message-received', ({ data }) => data.messageId === String(id));
    await waitFor(() => telegram.unconfirmed === 0, { what: 'the messages to be confirmed' });
    for (const text of ['before the outage', 'one', 'two', 'three']) expect(mesh.events.filter(({ data }) => data.text === text)).toHaveLength(1);
  });

  it('costs a restart of NATS nothing: what was sent meanwhile is sent afterwards', async () => {
    await useTelegram();
    const adapter = await mesh.spawn('telegram');
    await mesh.nats.kill();
    await mesh.nats.restart();
    await waitFor(() => mesh.operator.isConnected(), { what: 'the test to be connected again' });
    await mesh.send('telegram', { sendId: 'after-nats', to: '99', text: 'after the outage' });
    expect((await mesh.outcome('after-nats')).name).toBe('send-succeeded');
    const ready = await fetch(`${adapter.http}/readyz`);
    const { checks } = (await ready.json()) as { checks: { name: string; reason?: string }[] };
    expect(checks.find(({ name }) => name === 'accounts')).toEqual({ name: 'accounts', ok: true, reason: '1 of 1 up' });
  });

  it('does not acknowledge to Slack what it could not store', async () => {
    const slack = await SlackStandIn.start();
    const settings = { botToken: mesh.secret('s', SLACK_TOKEN), appToken: mesh.secret('a', APP_TOKEN), apiUrl: slack.apiUrl };
    await mesh.configure({ slack: { accounts: { slacker: { settings } } } });
    const adapter = await mesh.spawn('slack');
    await mesh.state('slacker', 'up');
    await mesh.nats.kill();
    const event = { type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'kept', ts: '1790000500.000000' };
    const envelope = slack.event(event);
    await adapter.end('SIGKILL');
    expect(slack.isAcknowledged(envelope)).toBe(false);
    await mesh.nats.restart();
    await waitFor(() => mesh.operator.isConnected(), { what: 'the test to be connected again' });
    const before = slack.connections;
    await mesh.spawn('slack');
    await waitFor(() => slack.connections > before, { what: 'the socket' });
    await slack.acknowledged(slack.event(event));
    await mesh.event('message-received', ({ data }) => data.text === 'kept');
    await mesh.stopAdapters();
    await slack.stop();
  });

  it('while it sends goes on with the part that is missing, and says the outcome once per attempt', async () => {
    await useTelegram();
    const held = new Latch<{ body: unknown }>();
    const first = await mesh.spawn('telegram');
    await mesh.state('main', 'up');
    telegram.once('sendPhoto', held.promise);
    await mesh.send('telegram', { sendId: 'cut', to: '99', text: 'part one', attachments: [{ kind: 'image', url: 'https://example.org/p.png' }] });
    await waitFor(() => telegram.callsOf('sendPhoto').length === 1, { what: 'the second part to be under way' });
    await first.end('SIGKILL');
    held.open({ body: {} });
    await mesh.spawn('telegram');
    expect((await mesh.outcome('cut')).name).toBe('send-succeeded');
    expect(telegram.callsOf('sendMessage').filter(({ body }) => body.text === 'part one')).toHaveLength(1);
    // What the platform may have taken without our knowing is sent again: at least once.
    expect(telegram.callsOf('sendPhoto')).toHaveLength(2);
    expect(mesh.events.filter(({ data }) => data.sendId === 'cut')).toHaveLength(1);
  });

  it('recognises after its restart what it sent before', async () => {
    const receiver = await HttpStandIn.plain(() => ({ body: { messageId: 'm1' } }));
    await mesh.configure({ webhook: { accounts: { hook: { settings: { url: receiver.url, signingSecret: mesh.secret('w', 'a secret of some length') } } } } });
    const first = await mesh.spawn('webhook');
    await mesh.send('webhook', { sendId: 'once', account: 'hook', to: 'r' });
    await mesh.outcome('once');
    await first.end('SIGKILL');
    await mesh.send('webhook', { sendId: 'once', account: 'hook', to: 'r', attempt: 2 });
    await mesh.spawn('webhook');
    expect((await mesh.outcome('once', 2)).data).toMatchObject({ messageId: 'm1' });
    expect(receiver.calls).toHaveLength(1);
    await mesh.stopAdapters();
    await receiver.stop();
  });
});
