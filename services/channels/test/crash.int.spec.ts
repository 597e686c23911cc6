import { waitFor } from '@plexus/testing';
import { ChannelMesh } from './support/channel-mesh.js';
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
});
