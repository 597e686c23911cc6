import { PlexusError } from '@plexus/kernel';
import fc from 'fast-check';
import {
  defaultGrammars,
  mirrorText,
  normaliseAccountId,
  normaliseAgentId,
  normaliseChannel,
  normaliseMainKey,
  normalisePeerKind,
  normaliseTarget,
  normaliseThreadId,
  type OutboundRouteInput,
  planSendMirror,
  resolveOutboundRoute,
  resolveRoute,
  sessionEntryPatch,
  slackAutoThread,
  TargetGrammarRegistry,
} from './index.js';

/** Any text at all: control characters, NUL, lone surrogates, and the words that mean something in targets. */
const anyText = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        'slack:',
        'user:',
        'group:',
        'chat_id:',
        'dm:',
        '@',
        '#',
        '<@',
        '>',
        ':',
        ';',
        '-',
        '+1',
        '42',
        '~zod',
        '/',
        'topic:',
        '@g.us',
        '\0',
        '\ud800',
        ' ',
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
);
const channels = [...defaultGrammars.channels, 'line', '', 'Unknown Channel'];
const channel = fc.constantFrom(...channels);
const RUNS = { numRuns: 3_000 };

/** What a refusal must carry. */
function refusal(work: () => unknown): PlexusError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(PlexusError.isPlexusError(error)).toBe(true);
    const { code, status, details } = error as PlexusError;
    expect([code, status, typeof details?.hint, typeof details?.channel]).toEqual(['INVALID_REQUEST', 400, 'string', 'string']);
    return error as PlexusError;
  }
}

test('any text is a target, nobody, or refused with a code and a hint; nothing else is thrown', () => {
  fc.assert(
    fc.property(channel, anyText, anyText, (id, target, threadId) => {
      const refused = refusal(() => normaliseTarget(id, target));
      if (refused) expect(['slack', 'discord']).toContain(id);
      refusal(() => {
        const route = resolveOutboundRoute({}, { channel: id, agentId: 'main', target, threadId });
        if (!route) return;
        expect(route.peer.id.trim()).not.toBe('');
        expect(route.sessionKey).toBe(route.sessionKey.toLowerCase());
        expect(route.sessionKey.startsWith(route.baseSessionKey)).toBe(true);
        expect(`${route.sessionKey} ${route.threadId}`).not.toContain('NaN');
      });
    }),
    RUNS,
  );
});

test('normalisers of ids answer any text, and their answer is normal', () => {
  fc.assert(
    fc.property(anyText, (value) => {
      for (const normalise of [normaliseAgentId, normaliseAccountId, normaliseMainKey, normaliseChannel, normalisePeerKind, normaliseThreadId]) {
        const once = normalise(value);
        expect(normalise(once)).toBe(once);
      }
      mirrorText(value, [value]);
      slackAutoThread(value, { currentChannelId: value, currentThreadTs: value, replyToMode: 'all' });
      sessionEntryPatch({ From: value, ChatType: 'group', Provider: value, GroupSubject: value });
    }),
    RUNS,
  );
});

test('garbage instead of text is nobody', () => {
  fc.assert(
    fc.property(channel, fc.anything(), fc.anything(), (id, target, other) => {
      refusal(() =>
        resolveOutboundRoute({}, { channel: id, agentId: other, accountId: other, target, threadId: other, replyToId: other } as OutboundRouteInput),
      );
    }),
  );
});

describe('an answer goes into the session that the question came from', () => {
  const dmScopes = ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'];
  const cases: [string, { kind: string; id: string }, string, { threadId?: string | number }?][] = [
    ['slack', { kind: 'dm', id: 'U1' }, 'user:U1'],
    ['slack', { kind: 'channel', id: 'C1' }, 'channel:C1'],
    ['discord', { kind: 'dm', id: '123' }, '<@123>'],
    ['discord', { kind: 'channel', id: '9' }, 'channel:9'],
    ['telegram', { kind: 'dm', id: '42' }, 'telegram:42'],
    ['telegram', { kind: 'group', id: '-100:topic:7' }, '-100', { threadId: 7 }],
    ['whatsapp', { kind: 'dm', id: '+15551234567' }, 'whatsapp:+1 (555) 123-4567'],
    ['whatsapp', { kind: 'group', id: '123-456@g.us' }, '123-456@g.us'],
    ['signal', { kind: 'group', id: 'AbC=' }, 'signal:group:AbC='],
    ['matrix', { kind: 'channel', id: '!R:hs' }, 'room:!R:hs'],
    ['msteams', { kind: 'channel', id: '19:a@thread.tacv2' }, 'conversation:19:a@thread.tacv2;messageid=5'],
    ['mattermost', { kind: 'dm', id: 'alice' }, '@alice'],
    ['bluebubbles', { kind: 'group', id: 'iMessage;+;chat1' }, 'chat_guid:iMessage;+;chat1'],
    ['nextcloud-talk', { kind: 'group', id: 'tok' }, 'room:tok'],
    ['zalouser', { kind: 'dm', id: '777' }, '777'],
    ['tlon', { kind: 'group', id: 'chat/~zod/main' }, 'group:zod/main'],
    ['nostr', { kind: 'dm', id: 'npub1' }, 'nostr:npub1'],
    ['voice-call', { kind: 'dm', id: '+15550001' }, '+1 555 0001'],
    ['webhook', { kind: 'group', id: 'Ops' }, 'group:Ops'],
    ['webhook', { kind: 'dm', id: '7' }, 'user:7'],
    ['slack', { kind: 'group', id: 'C7' }, 'group:C7'],
    ['upstream', { kind: 'dm', id: 'agent:main:Main' }, 'agent:main:Main'],
    ['line', { kind: 'dm', id: 'U9' }, 'line:user:U9'],
  ];
  test.each(cases)('%s %j by %s', (id, peer, target, extra = {}) => {
    for (const dmScope of dmScopes) {
      const config = { session: { dmScope, identityLinks: { ann: [`${id}:${peer.id}`] } } };
      const inbound = resolveRoute(config, { channel: id, accountId: 'Biz', peer });
      const outbound = resolveOutboundRoute(config, { channel: id, agentId: inbound.agentId, accountId: 'biz', target, ...extra });
      expect(outbound?.baseSessionKey).toBe(inbound.sessionKey);
    }
  });
});

test('a Signal user name stays a name', () => {
  const config = { session: { dmScope: 'per-peer' } };
  expect(resolveOutboundRoute(config, { channel: 'signal', agentId: 'main', target: 'username:Ann.42' })).toMatchObject({
    sessionKey: 'agent:main:dm:username:ann.42',
    to: 'signal:username:Ann.42',
  });
  expect(normaliseTarget('signal', 'u:Ann.42')).toBe('username:ann.42');
});

test('a Telegram thread that is no number is no thread, and topic 0 is none', () => {
  for (const threadId of ['abc', '', Number.NaN, '0', 0, null]) {
    const route = resolveOutboundRoute({}, { channel: 'telegram', agentId: 'main', target: '-100', threadId });
    expect(route).toMatchObject({ sessionKey: 'agent:main:telegram:group:-100', to: 'telegram:-100' });
    expect(route).not.toHaveProperty('threadId');
  }
});

test("Slack's group conversations may be listed for the channel, the account or its settings", () => {
  const dm = { groupChannels: ['mpim:G1'] };
  for (const slack of [{ dm }, { accounts: { Biz: { dm } } }, { accounts: { biz: { settings: { dm } } } }]) {
    const route = resolveOutboundRoute({ channels: { slack } }, { channel: 'slack', agentId: 'main', accountId: 'biz', target: 'g1' });
    expect(route).toMatchObject({ sessionKey: 'agent:main:slack:group:g1', chatType: 'channel' });
  }
  const looked = { to: 'G2', kind: 'group' };
  expect(resolveOutboundRoute({}, { channel: 'slack', agentId: 'main', target: 'G2', resolvedTarget: looked })?.peer.kind).toBe('group');
});

describe('plugins', () => {
  const pager = {
    channel: 'pager',
    parse: ({ target }: { target: string }) => ({ kind: 'dm' as const, peerId: target.replace(/^#/, ''), from: `pager/${target}`, to: target }),
  };

  test('a channel with a grammar of its own is read by it, others by the fallback', () => {
    const registry = new TargetGrammarRegistry().register(pager);
    const config = { session: { dmScope: 'per-channel-peer' } };
    const ask = (known: TargetGrammarRegistry) => resolveOutboundRoute(config, { channel: 'Pager', agentId: 'main', target: '#77' }, known);
    expect(ask(registry)).toMatchObject({ sessionKey: 'agent:main:pager:dm:77', from: 'pager/#77' });
    expect(ask(defaultGrammars)).toMatchObject({ sessionKey: 'agent:main:pager:dm:#77', to: 'user:#77' });
    expect(registry.channels).toContain('slack');
  });

  test('a second grammar for a channel is refused: one conversation must not get two keys', () => {
    expect(() => new TargetGrammarRegistry().register({ ...pager, channel: 'slack' })).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    for (const id of ['', 'Pager'])
      expect(() => new TargetGrammarRegistry().register({ ...pager, channel: id })).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});

test('file names are what a transcript shows of media', () => {
  expect(mirrorText('text', ['https://h/a/My%20File.png?x=1#y', '/tmp/b.pdf', 'https://h'])).toBe('My File.png, b.pdf');
  expect(mirrorText(' text ', ['', null])).toBe('text');
  expect(mirrorText('', ['https://h/%E0%A4%A'])).toBe('%E0%A4%A');
});

test('a send is mirrored where the caller says, else where the target is; the key may belong to another agent', () => {
  const config = { agents: { list: [{ id: 'ops' }, { id: 'work' }] } };
  expect(planSendMirror(config, { channel: 'slack', to: 'C1', sessionKey: ' Agent:Work:Main ' })).toMatchObject({
    sessionKey: 'agent:work:main',
    agentId: 'work',
  });
  expect(planSendMirror(config, { channel: 'slack', to: 'C1', agentId: 'work' })).toMatchObject({ sessionKey: 'agent:work:slack:channel:c1' });
  expect(planSendMirror(config, { channel: 'whatsapp', to: 'nobody' })).toBeUndefined();
});

test('what a message does not say stays known of its conversation', () => {
  const first = sessionEntryPatch({
    From: 'slack:channel:C1',
    ChatType: 'channel',
    Provider: 'slack',
    GroupChannel: '#ops',
    GroupSpace: 'acme',
    AccountId: 'a',
  });
  expect(first).toMatchObject({ displayName: 'slack:acme#ops', origin: { label: '#ops', accountId: 'a' } });
  const next = sessionEntryPatch({ From: 'slack:channel:C1', ChatType: 'channel', Provider: 'slack', MessageThreadId: '1.2' }, first);
  expect(next).toMatchObject({ displayName: 'slack:acme#ops', origin: { accountId: 'a', threadId: '1.2' } });
});
