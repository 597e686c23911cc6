import { parseTenantConfig } from '@plexus/agent-config';
import { compileRoutes, resolveOutboundRoute, resolveRoute } from '@plexus/routing-core';
import fc from 'fast-check';
import { type InboundMessage, inboundSessionKey, messageText, replyRouteOf, routeQuestion } from './inbound-route.js';
import { platformTarget } from './outbound-entry.js';
import { transcriptText } from './transcript-text.js';

const parsed = parseTenantConfig({ session: { dmScope: 'per-channel-peer' }, bindings: [] });
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const config = parsed.value;
const routes = compileRoutes(config, 1);

const message = (more: Partial<InboundMessage> = {}): InboundMessage => ({
  ...{ account: 'work', messageId: '1', chat: { kind: 'dm', id: '42' }, sender: { id: '42' }, text: 'hi', receivedAt: '2026-11-21T10:00:00Z' },
  ...more,
});
const keyOf = (channel: string, one: InboundMessage) => inboundSessionKey(channel, one, resolveRoute(routes, routeQuestion(channel, one)));

test.each<[string, Partial<InboundMessage>, string]>([
  ['telegram', {}, 'agent:main:telegram:dm:42'],
  ['telegram', { chat: { kind: 'group', id: '-100' } }, 'agent:main:telegram:group:-100'],
  ['telegram', { chat: { kind: 'group', id: '-100' }, threadId: '7' }, 'agent:main:telegram:group:-100:topic:7'],
  ['telegram', { threadId: '7' }, 'agent:main:telegram:dm:42:thread:7'],
  ['slack', { chat: { kind: 'channel', id: 'C1' }, threadId: '17.5', sender: { id: 'U1' } }, 'agent:main:slack:channel:c1:thread:17.5'],
  ['slack', { chat: { kind: 'dm', id: 'D1' }, sender: { id: 'U1' } }, 'agent:main:slack:dm:u1'],
  ['discord', { chat: { kind: 'channel', id: '9' }, threadId: '9', parent: { kind: 'channel', id: '8' } }, 'agent:main:discord:channel:9'],
])('%s %j goes to %s', (channel, more, key) => {
  expect(keyOf(channel, message(more))).toBe(key);
});

test('an answer by `send` to where a Telegram message came from shows in the session that the message is in', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.boolean(), fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }), (id, group, topic) => {
      const chat = { kind: group ? ('group' as const) : ('dm' as const), id: String(group ? -id : id) };
      const threadId = group && topic !== undefined ? String(topic) : undefined;
      const inbound = message({ chat, sender: { id: String(id) }, ...(threadId === undefined ? {} : { threadId }) });
      const target = replyRouteOf('telegram', inbound).to;
      const outbound = resolveOutboundRoute(config, { channel: 'telegram', agentId: 'main', accountId: 'work', target, threadId });
      expect(outbound?.sessionKey).toBe(keyOf('telegram', inbound));
      expect(platformTarget({ channel: 'telegram', to: outbound?.to ?? '' })).toBe(target);
    }),
  );
});

test.each([
  ['telegram', 'telegram:-100', '-100'],
  ['slack', 'user:U1', 'U1'],
  ['slack', 'channel:C1', 'C1'],
  ['webhook', 'user:ada', 'ada'],
  ['signal', 'group:abc', 'group:abc'],
])('the adapter of %s gets %s as %s', (channel, to, bare) => {
  expect(platformTarget({ channel, to })).toBe(bare);
});

test('a message without a text is its files, and one without both says nothing', () => {
  expect(
    messageText(
      message({
        text: ' ',
        attachments: [
          { kind: 'image', name: 'a.png' },
          { kind: 'file', id: 'f9' },
        ],
      }),
    ),
  ).toBe('[image: a.png]\n[file: f9]');
  expect(messageText(message({ text: ' \n' }))).toBe('');
});

test('a transcript as JSON lines is one object a line, whatever it says', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 5 }), (texts) => {
      const messages = texts.map((text, index) => ({ messageId: 'm', seq: index + 1, role: 'user' as const, text, at: '2026-11-21T10:00:00Z' }));
      const lines = transcriptText(messages, 'jsonl').split('\n').slice(0, -1);
      expect(lines.map((line) => JSON.parse(line))).toEqual(messages);
    }),
  );
});
