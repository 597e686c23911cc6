import { type RoutingConfig, resolveOutboundRoute, resolveRoute, threadSession } from '@plexus/routing-core';
import type { ReceivedMessage } from '../src/kit/channel-adapter.js';
import { ConversationKinds } from '../src/slack/conversation-kinds.js';
import { EventPayload, receivedMessage as fromSlack } from '../src/slack/event.js';
import { receivedMessage as fromTelegram, Update } from '../src/telegram/update.js';
import { answerOf } from '../src/upstream/awaited-answers.js';
import { IncomingMessage, receivedMessage as fromWebhook } from '../src/webhook/messages.js';

const telegram = (message: object) =>
  fromTelegram(Update.parse({ update_id: 1, channel_post: { message_id: 5, date: 1, text: 'x', from: { id: 99 }, ...message } }), { id: 1 }) as ReceivedMessage;
const kinds = new ConversationKinds(async (channel) => (channel === 'C4' ? 'group' : undefined));
const slack = (event: object) =>
  fromSlack(
    EventPayload.parse({ type: 'event_callback', event: { type: 'message', user: 'U1', text: 'x', ts: '1.1', ...event } }),
    { userId: 'UBOT' },
    (place) => kinds.of(place),
  );
const webhook = (message: object) => fromWebhook(IncomingMessage.parse({ sender: { id: 'u1' }, text: 'x', ...message }), 'm1', 0);
const upstream = (session: string) => answerOf(session, 'run', 'x', 0);

/** The session of a message as routing finds it: a person's own in a direct chat, else the chat's; topics of Telegram's groups are places, other threads suffixes. */
function inboundKey(config: RoutingConfig, channel: string, { chat, sender, threadId }: ReceivedMessage): string {
  const topic = channel === 'telegram' && chat.kind !== 'dm' && threadId !== undefined;
  const id = chat.kind === 'dm' ? sender.id : topic ? `${chat.id}:topic:${threadId}` : chat.id;
  const { sessionKey } = resolveRoute(config, { channel, accountId: 'work', peer: { kind: chat.kind, id } });
  return topic ? sessionKey : threadSession({ baseSessionKey: sessionKey, threadId }).sessionKey;
}

/** What the adapter is told of a target: the bare id. */
const bareId = (channel: string, to = ''): string => to.replace(new RegExp(`^${channel}:`), '').replace(/^(user|channel|group):/, '');

/** What arrives, the target that a person writes to reach the same conversation, and where the adapter sends it. */
const CASES: [string, string, ReceivedMessage | Promise<ReceivedMessage | undefined>, string, string][] = [
  ['telegram', 'dm', telegram({ chat: { id: 99, type: 'private' } }), '99', '99'],
  ['telegram', 'thread of a dm', telegram({ chat: { id: 99, type: 'private' }, is_topic_message: true, message_thread_id: 3 }), '99', '99'],
  ['telegram', 'group', telegram({ chat: { id: -77, type: 'group' } }), '-77', '-77'],
  ['telegram', 'supergroup', telegram({ chat: { id: -1001, type: 'supergroup' } }), 'telegram:group:-1001', '-1001'],
  ['telegram', 'topic', telegram({ chat: { id: -1001, type: 'supergroup' }, is_topic_message: true, message_thread_id: 7 }), '-1001', '-1001'],
  ['telegram', 'channel', telegram({ chat: { id: -1002, type: 'channel' } }), '-1002', '-1002'],
  ['slack', 'dm', slack({ channel: 'D1', channel_type: 'im' }), 'user:U1', 'U1'],
  ['slack', 'thread of a dm', slack({ channel: 'D1', channel_type: 'im', thread_ts: '1.0' }), 'user:U1', 'U1'],
  ['slack', 'channel', slack({ channel: 'C1', channel_type: 'channel' }), 'C1', 'C1'],
  ['slack', 'private channel', slack({ channel: 'G2', channel_type: 'group' }), 'channel:G2', 'G2'],
  ['slack', 'thread', slack({ channel: 'C1', channel_type: 'channel', thread_ts: '1.0' }), 'C1', 'C1'],
  ['slack', 'group', slack({ channel: 'C3', channel_type: 'mpim' }), 'group:C3', 'C3'],
  ['slack', 'mention in a group', slack({ type: 'app_mention', channel: 'C4' }), 'group:C4', 'C4'],
  ['slack', 'mention in a channel', slack({ type: 'app_mention', channel: 'C5' }), 'C5', 'C5'],
  ['slack', 'thread of a group', slack({ channel: 'G1', channel_type: 'mpim', thread_ts: '1.0' }), 'mpim:G1', 'G1'],
  ['webhook', 'dm', webhook({ chat: { kind: 'dm', id: 'u1' } }), 'user:u1', 'u1'],
  ['webhook', 'thread of a dm', webhook({ chat: { kind: 'dm', id: 'u1' }, threadId: 't' }), 'user:u1', 'u1'],
  ['webhook', 'group', webhook({ chat: { kind: 'group', id: 'room-1' } }), 'group:room-1', 'room-1'],
  ['webhook', 'channel', webhook({ chat: { kind: 'channel', id: 'news' } }), 'channel:news', 'news'],
  ['webhook', 'thread', webhook({ chat: { kind: 'group', id: 'room-1' }, threadId: 't1' }), 'group:room-1', 'room-1'],
  ['upstream', 'session', upstream('agent:main:main'), 'agent:main:main', 'agent:main:main'],
  ['upstream', 'another session', upstream('agent:main:other'), 'upstream:agent:main:other', 'agent:main:other'],
  ['upstream', 'session of a group', upstream('group:agent:main'), 'user:group:agent:main', 'group:agent:main'],
];

describe('a conversation has one session, whoever begins it', () => {
  test.each(CASES)('%s: %s', async (channel, _kind, given, target, sentTo) => {
    const message = (await given) as ReceivedMessage;
    for (const dmScope of ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer']) {
      const config: RoutingConfig = { session: { dmScope } };
      const request = { channel, agentId: 'main', accountId: 'work', target, threadId: message.threadId };
      const outbound = resolveOutboundRoute(config, request);
      expect(outbound?.sessionKey).toBe(inboundKey(config, channel, message));
      expect(bareId(channel, outbound?.to)).toBe(sentTo);
    }
  });

  test('two sessions of an upstream gateway are two conversations', () => {
    const config: RoutingConfig = { session: { dmScope: 'per-channel-peer' } };
    const keyOf = (session: string) => inboundKey(config, 'upstream', upstream(session));
    expect([keyOf('agent:main:main'), keyOf('agent:main:other')]).toEqual([
      'agent:main:upstream:dm:agent:main:main',
      'agent:main:upstream:dm:agent:main:other',
    ]);
  });

  test('a target of a webhook that does not say what it is names nobody, unless a lookup knows', () => {
    const ask = (target: string, kind?: string) =>
      resolveOutboundRoute({}, { channel: 'webhook', agentId: 'main', target, ...(kind && { resolvedTarget: { to: target, kind } }) });
    expect(() => ask('room-1')).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(ask('room-1', 'group')?.sessionKey).toBe('agent:main:webhook:group:room-1');
    expect(ask('u1', 'user')?.peer).toEqual({ kind: 'dm', id: 'u1' });
  });

  test('a direct message of a webhook whose chat is not its sender is refused: answers could not find back', () => {
    const refused = IncomingMessage.safeParse({ chat: { kind: 'dm', id: 'c1' }, sender: { id: 'u1' }, text: 'x' });
    expect(refused.error?.issues.map(({ path }) => path)).toEqual([['chat', 'id']]);
  });
});
