import { createHmac } from 'node:crypto';
import { waitFor } from '@plexus/testing';
import { slackAdapter } from '../src/slack/slack.adapter.js';
import { ChannelMesh } from './support/channel-mesh.js';
import { APP_TOKEN, BOT_TOKEN, SlackStandIn } from './support/slack-stand-in.js';

const SIGNING_SECRET = '8f742231b10e8888abcd99yyyzzz85a5';

describe('the slack adapter', () => {
  let mesh: ChannelMesh;
  let slack: SlackStandIn;
  let accounts: Record<string, unknown>;
  let http: string;

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    slack = await SlackStandIn.start();
    const botToken = mesh.secret('bot', BOT_TOKEN);
    accounts = {
      main: { settings: { botToken, appToken: mesh.secret('app', APP_TOKEN), apiUrl: slack.apiUrl } },
      events: { settings: { mode: 'http', botToken, signingSecret: mesh.secret('signing', SIGNING_SECRET), apiUrl: slack.apiUrl } },
      revoked: { settings: { botToken: mesh.secret('revoked', 'xoxb-revoked-revoked'), appToken: mesh.secret('app', APP_TOKEN), apiUrl: slack.apiUrl } },
    };
    await mesh.configure({ slack: { accounts } });
    await mesh.run(slackAdapter);
    await mesh.state('main', 'up');
    await mesh.state('events', 'up');
    http = `${await mesh.platforms()}/channels/slack/acme/events`;
  });
  afterAll(async () => {
    await mesh?.stop();
    await slack?.stop();
  });

  const received = (ts: string, account = 'main') => mesh.event('message-received', ({ data }) => data.messageId === ts && data.account === account);

  it('states direct messages, channel messages and replies in threads as what they are', async () => {
    slack.event({ type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'Hi &lt;you&gt;', ts: '1790000000.000100' });
    slack.event({ type: 'message', channel: 'C1', channel_type: 'channel', user: 'U1', text: 'all', ts: '1790000000.000200', thread_ts: '1790000000.000200' });
    slack.event({ type: 'app_mention', channel: 'C1', user: 'U1', text: '<@UBOT> and?', ts: '1790000001.000300', thread_ts: '1790000000.000200' });
    expect((await received('1790000000.000100')).data).toMatchObject({
      chat: { kind: 'dm', id: 'D1' },
      teamId: 'T1',
      sender: { id: 'U1' },
      text: 'Hi <you>',
      mentionsBot: true,
    });
    const root = (await received('1790000000.000200')).data;
    expect(root).toMatchObject({ chat: { kind: 'channel', id: 'C1' }, mentionsBot: false });
    expect(root).not.toHaveProperty('threadId');
    expect((await received('1790000001.000300')).data).toMatchObject({ threadId: '1790000000.000200', mentionsBot: true });
  });

  it('names one conversation of several people the same, whether Slack states a message in it or a mention', async () => {
    slack.multiPerson.add('C7');
    slack.event({ type: 'app_mention', channel: 'C7', user: 'U1', text: '<@UBOT> here?', ts: '1790000003.000001' });
    expect((await received('1790000003.000001')).data.chat).toEqual({ kind: 'group', id: 'C7' });
    slack.event({ type: 'message', channel: 'C7', channel_type: 'mpim', user: 'U1', text: 'yes', ts: '1790000003.000002' });
    expect((await received('1790000003.000002')).data.chat).toEqual({ kind: 'group', id: 'C7' });
    slack.once('conversations.info', { body: { ok: false, error: 'missing_scope' } });
    slack.event({ type: 'app_mention', channel: 'C8', user: 'U1', text: '<@UBOT> or here?', ts: '1790000003.000003' });
    expect((await received('1790000003.000003')).data.chat).toEqual({ kind: 'channel', id: 'C8' });
    expect(slack.callsOf('conversations.info').filter(({ body }) => body.channel === 'C7')).toHaveLength(1);
  });

  it('acknowledges an envelope after its message was stored, and states a repeated one once', async () => {
    const envelope = slack.event({ type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'twice', ts: '1790000002.000000' });
    await slack.acknowledged(envelope);
    expect(mesh.events.some(({ data }) => data.messageId === '1790000002.000000') || (await received('1790000002.000000'))).toBeTruthy();
    await slack.acknowledged(slack.event({ type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'twice', ts: '1790000002.000000' }));
    await slack.acknowledged(
      slack.event({ type: 'message', channel: 'D1', channel_type: 'im', bot_id: 'B1', user: 'U2', text: 'bot', ts: '1790000002.000001' }),
    );
    await slack.acknowledged(slack.event({ type: 'message', subtype: 'message_changed', channel: 'D1', ts: '1790000002.000002' }));
    expect(mesh.events.filter(({ data }) => /^1790000002/.test(data.messageId))).toHaveLength(1);
  });

  it('sends into the right channel and thread, with nothing in the text that would wake everybody', async () => {
    await mesh.send('slack', { sendId: 'out', to: 'C1', threadId: '1790000000.000200', text: 'Done <!channel> & gone' });
    const { data, name } = await mesh.outcome('out');
    expect({ name, messageId: data.messageId }).toEqual({ name: 'send-succeeded', messageId: expect.stringMatching(/^\d+\.\d+$/) });
    expect(slack.callsOf('chat.postMessage')[0]?.body).toMatchObject({
      channel: 'C1',
      thread_ts: '1790000000.000200',
      text: 'Done &lt;!channel&gt; &amp; gone',
    });
  });

  it.each([
    ['a missing channel', { body: { ok: false, error: 'channel_not_found' } }, { code: 'TARGET_REFUSED', message: 'Slack says channel_not_found' }],
    ['a channel without us', { body: { ok: false, error: 'not_in_channel' } }, { code: 'TARGET_REFUSED' }],
    ['a person who left', { body: { ok: false, error: 'user_disabled' } }, { code: 'TARGET_REFUSED' }],
    ['a channel for admins', { body: { ok: false, error: 'restricted_action_read_only_channel' } }, { code: 'TARGET_REFUSED' }],
    ['a token that was revoked', { body: { ok: false, error: 'token_revoked' } }, { code: 'AUTH_FAILED', message: 'Slack says token_revoked' }],
    ['a token without rights', { body: { ok: false, error: 'invalid_auth' } }, { code: 'AUTH_FAILED' }],
    ['a text it does not take', { body: { ok: false, error: 'msg_too_long' } }, { code: 'msg_too_long' }],
    ['a broken server', { status: 500 }, { status: 500 }],
    ['a request to wait', { status: 429, headers: { 'retry-after': '1' } }, { code: 'ratelimited', status: 429, retryAfterMs: 1_000 }],
  ])('reports %s with its code, after one call', async (what, reply, error) => {
    slack.once('chat.postMessage', reply);
    await mesh.send('slack', { sendId: what, to: 'C9', text: what });
    expect((await mesh.outcome(what)).data.error).toMatchObject(error);
    expect(slack.callsOf('chat.postMessage').filter(({ body }) => body.text === what)).toHaveLength(1);
  });

  it('opens a new socket when Slack closes one, sends meanwhile, and shows an app that was revoked', async () => {
    const before = slack.connections;
    slack.closeSockets();
    await mesh.send('slack', { sendId: 'meanwhile', to: 'C1', text: 'meanwhile' });
    await waitFor(() => slack.connections > before, { what: 'a new socket' });
    expect((await mesh.outcome('meanwhile')).name).toBe('send-succeeded');
    expect(mesh.events.some(({ name, data }) => name === 'account-state' && data.account === 'main' && data.state !== 'up')).toBe(false);
    slack.event({ type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'back', ts: '1790000009.000000' });
    await received('1790000009.000000');
    expect((await mesh.state('revoked', 'down')).data.reason).toContain('invalid_auth');
  });

  describe('over the Events API', () => {
    const body = (ts: string, more: Record<string, unknown> = {}) =>
      JSON.stringify({
        type: 'event_callback',
        team_id: 'T1',
        event: { type: 'message', channel: 'D1', channel_type: 'im', user: 'U1', text: 'over http', ts },
        ...more,
      });
    const call = (text: string, secret = SIGNING_SECRET, at = Date.now()) => {
      const seconds = String(Math.floor(at / 1_000));
      const signature = `v0=${createHmac('sha256', secret).update(`v0:${seconds}:${text}`).digest('hex')}`;
      return fetch(http, { method: 'POST', body: text, headers: { 'x-slack-request-timestamp': seconds, 'x-slack-signature': signature } });
    };

    it('answers the address check and states signed messages', async () => {
      const check = await call(JSON.stringify({ type: 'url_verification', challenge: 'c-1' }));
      expect([check.status, await check.text()]).toEqual([200, 'c-1']);
      expect((await call(body('1790000020.000000'))).status).toBe(200);
      await received('1790000020.000000', 'events');
    });

    it('refuses wrong, missing and old signatures', async () => {
      const answers = [
        await call(body('1'), 'wrong secret of this app'),
        await fetch(http, { method: 'POST', body: body('2') }),
        await call(body('3'), SIGNING_SECRET, 0),
      ];
      expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    });
  });
});
