import fc from 'fast-check';
import {
  acpSessionKey,
  agentIdOf,
  canonicaliseKey,
  canonicalKey,
  cronSessionKey,
  hookSessionKey,
  migrateKey,
  migrateStoreKey,
  nodeSessionKey,
  normaliseAccountId,
  normaliseAgentId,
  parseAgentKey,
  peerSessionKey,
  readSessionKey,
  resolveOutboundRoute,
  resolveRoute,
  type SessionKeyParts,
  sessionKeyFor,
  subagentSessionKey,
  threadSession,
  voiceSessionKey,
  writeSessionKey,
} from './index.js';

const text = fc.string({ unit: 'grapheme', maxLength: 90 });

test('a normalised id is legal and stays as it is when normalised again', () => {
  fc.assert(
    fc.property(text, (value) => {
      for (const id of [normaliseAgentId(value), normaliseAccountId(value)]) {
        expect(id).toMatch(/^[a-z0-9_][a-z0-9_-]{0,63}$/);
        expect(normaliseAgentId(normaliseAgentId(id))).toBe(normaliseAgentId(id));
      }
    }),
  );
});

test('an agent is named by its id or else by a key, and stands as it does in keys; nobody is named by neither', () => {
  expect(agentIdOf({ agentId: ' Ops ', sessionKey: 'agent:main:x' })).toBe('ops');
  expect(agentIdOf({ sessionKey: 'Agent:My Ops:x' })).toBe('my-ops');
  for (const nothing of [{}, { agentId: ' ' }, { sessionKey: 'main' }, { sessionKey: 'agent:ops:' }]) expect(agentIdOf(nothing)).toBeUndefined();
});

test('the key of a session is one key: canonicalising it again changes nothing, whatever its spelling was', () => {
  fc.assert(
    fc.property(text, fc.option(text, { nil: undefined }), fc.constantFrom('main', 'work', undefined), (key, agentId, mainKey) => {
      const config = { session: { mainKey } };
      const once = sessionKeyFor(config, key, agentId);
      fc.pre(once !== undefined);
      expect(sessionKeyFor(config, once)).toBe(once);
      expect(sessionKeyFor(config, ` ${once?.replace(/[a-z]/g, (letter) => letter.toUpperCase())} `)).toBe(once);
    }),
  );
});

test('every name of the main session means the same session', () => {
  const config = { session: { mainKey: 'Work' } };
  const names = ['main', 'work', 'MAIN', '', ' agent:main:main ', 'Agent:Main:WORK'];
  expect(new Set(names.map((name) => sessionKeyFor(config, name)))).toEqual(new Set(['agent:main:work']));
});

test('a key that names an agent and no session is no key', () => {
  expect(['agent:ops:', 'agent:ops', 'agent::', ':'].map((key) => sessionKeyFor({}, key))).toEqual([undefined, undefined, undefined, undefined]);
  expect(sessionKeyFor({}, 'agent:Ops Team::fan')).toBe('agent:ops-team:fan');
});

test('a key of one agent never becomes a key of another', () => {
  fc.assert(
    fc.property(text, (key) => {
      fc.pre(parseAgentKey(`agent:ops:${key}`) !== undefined);
      expect(parseAgentKey(canonicalKey({}, `agent:ops:${key}`))?.agentId).toBe('ops');
    }),
  );
});

test('migrating a key twice is migrating it once', () => {
  fc.assert(
    fc.property(text, (key) => {
      const once = migrateStoreKey({ key, agentId: 'main' });
      expect(migrateStoreKey({ key: once, agentId: 'main' })).toBe(once);
    }),
  );
});

test('`direct` is read as `dm`, and never inside an id', () => {
  const pairs = [
    ['agent:main:direct:x', 'agent:main:dm:x'],
    ['AGENT:main:telegram:Direct:42', 'agent:main:telegram:dm:42'],
    ['agent:main:telegram:biz:direct:42', 'agent:main:telegram:biz:dm:42'],
    ['telegram:direct:42', 'agent:main:telegram:dm:42'],
    ['agent:main:slack:group:direct:x', 'agent:main:slack:group:direct:x'],
    ['agent:main:dm:direct:x', 'agent:main:dm:direct:x'],
    ['agent:main:subagent:direct:x', 'agent:main:subagent:direct:x'],
    ['agent:main:main:thread:direct:x', 'agent:main:main:thread:direct:x'],
    ['agent:main:direct', 'agent:main:direct'],
  ];
  for (const [written, stored] of pairs) expect([written, canonicaliseKey({}, written)]).toEqual([written, stored]);
});

test('a mixed fleet writes `direct` everywhere, and finds what was stored as `dm`', () => {
  const config = { session: { dmKeyword: 'direct', dmScope: 'per-channel-peer' } };
  const message = { channel: 'telegram', peer: { kind: 'dm', id: '42' } };
  expect(resolveRoute(config, message).sessionKey).toBe('agent:main:telegram:direct:42');
  expect(canonicaliseKey(config, 'agent:main:telegram:dm:42')).toBe('agent:main:telegram:direct:42');
  expect(resolveOutboundRoute(config, { channel: 'telegram', agentId: 'main', target: '42' })?.sessionKey).toBe('agent:main:telegram:direct:42');
});

test('a phone call is one conversation under every scope, inbound, outbound and by its bare key', () => {
  for (const dmScope of ['main', 'per-peer', 'per-account-channel-peer']) {
    for (const channel of ['voice', 'voice-call']) {
      const inbound = resolveRoute({ session: { dmScope } }, { channel, accountId: 'twilio', peer: { kind: 'dm', id: '+1 (555) 000-1' } });
      expect(inbound.sessionKey).toBe('agent:main:voice:15550001');
      expect(resolveOutboundRoute({ session: { dmScope } }, { channel, agentId: 'main', target: 'tel:+1-555-000-1' })?.sessionKey).toBe(inbound.sessionKey);
      expect(canonicaliseKey({}, 'voice:15550001')).toBe(inbound.sessionKey);
      expect(voiceSessionKey('main', '+1 555 0001')).toBe(inbound.sessionKey);
    }
  }
  expect(resolveRoute({}, { channel: 'voice', peer: { kind: 'dm', id: 'anonymous' } }).sessionKey).toBe('agent:main:main');
});

test('what migrates is canonical, and what is canonical migrates to itself', () => {
  const config = fc.record({ session: fc.record({ mainKey: fc.constantFrom('main', 'Work', undefined), scope: fc.constantFrom('per-sender', 'global') }) });
  fc.assert(
    fc.property(config, keyText, (tenant, key) => {
      const once = migrateKey(tenant, key, 'ops');
      fc.pre(once !== undefined);
      expect(migrateKey(tenant, once, 'ops')).toBe(once);
      expect(canonicaliseKey(tenant, once, 'ops')).toBe(once);
    }),
  );
});

/** Text as people and channels write ids, and keys built of the words that mean something in keys. */
const word = fc.constantFrom(
  'agent',
  'main',
  'dm',
  'direct',
  'group',
  'channel',
  'thread',
  'topic',
  'cron',
  'run',
  'subagent',
  'acp',
  'hook',
  'voice',
  'x',
  '7',
  '',
  'Ops',
  '@g.us',
);
const keyText = fc.oneof(
  text,
  fc.array(word, { maxLength: 9 }).map((words) => words.join(':')),
);

test('reading a canonical key and writing it again gives the key', () => {
  fc.assert(
    fc.property(keyText, (key) => {
      const canonical = canonicaliseKey({}, key);
      fc.pre(canonical !== undefined);
      const parts = readSessionKey(canonical);
      expect(parts && writeSessionKey(parts)).toBe(canonical);
    }),
    { numRuns: 2_000 },
  );
});

const id = fc
  .stringMatching(/^[a-z0-9@+~!_.=-]{1,12}$/)
  .filter(
    (value) =>
      !['dm', 'direct', 'group', 'channel', 'thread', 'topic', 'subagent', 'acp', 'voice', 'cron', 'hook', 'main'].includes(value) &&
      !value.startsWith('node-'),
  );
const agentId = fc.constantFrom('main', 'ops', 'a-b');
const account = fc.constantFrom('default', 'biz', 'a-1');
const channelId = fc.constantFrom('slack', 'telegram', 'msteams', 'nextcloud-talk');

test('writing the parts of a key and reading them again gives the parts', () => {
  const parts: fc.Arbitrary<SessionKeyParts> = fc.oneof(
    fc.record({ kind: fc.constantFrom('global' as const, 'unknown' as const) }),
    fc.record({ kind: fc.constant('main' as const), agentId, mainKey: id, threadId: id }, { requiredKeys: ['kind', 'agentId', 'mainKey'] }),
    fc.record({ kind: fc.constant('dm' as const), agentId, peerId: id, threadId: id }, { requiredKeys: ['kind', 'agentId', 'peerId'] }),
    fc.record(
      { kind: fc.constant('dm' as const), agentId, channel: channelId, peerId: id, threadId: id },
      { requiredKeys: ['kind', 'agentId', 'channel', 'peerId'] },
    ),
    fc.record({ kind: fc.constant('dm' as const), agentId, channel: channelId, accountId: account, peerId: id }),
    fc.record(
      { kind: fc.constantFrom('group' as const, 'channel' as const), agentId, channel: channelId, peerId: id, topicId: id, threadId: id },
      { requiredKeys: ['kind', 'agentId', 'channel', 'peerId'] },
    ),
    fc.record({ kind: fc.constantFrom('subagent' as const, 'acp' as const, 'voice' as const), agentId, id }),
    fc.record({ kind: fc.constant('cron' as const), agentId, id, runId: id }, { requiredKeys: ['kind', 'agentId', 'id'] }),
    fc.record({ kind: fc.constantFrom('hook' as const, 'node' as const), agentId, id }, { requiredKeys: ['kind', 'id'] }),
  ) as fc.Arbitrary<SessionKeyParts>;
  fc.assert(
    fc.property(parts, (written) => expect(readSessionKey(writeSessionKey(written))).toEqual(written)),
    { numRuns: 2_000 },
  );
});

test('every builder writes a key that its reader names', () => {
  expect(readSessionKey(subagentSessionKey('Ops', ' ABC '))).toEqual({ kind: 'subagent', agentId: 'ops', id: 'abc' });
  expect(readSessionKey(cronSessionKey('ops', 'Daily', 'R1'))).toEqual({ kind: 'cron', agentId: 'ops', id: 'daily', runId: 'r1' });
  expect(readSessionKey(acpSessionKey('ops', 'S'))).toEqual({ kind: 'acp', agentId: 'ops', id: 's' });
  expect(readSessionKey(hookSessionKey('U-1'))).toEqual({ kind: 'hook', id: 'u-1' });
  expect(readSessionKey(hookSessionKey('u', 'agent:ops:Mail'))).toEqual({ kind: 'main', agentId: 'ops', mainKey: 'mail' });
  expect(readSessionKey(nodeSessionKey('Phone'))).toEqual({ kind: 'node', id: 'phone' });
});

test('two conversations never share a key unless the scope says so', () => {
  const conversation = fc.record({ agentId, channel: channelId, account, kind: fc.constantFrom('dm', 'group', 'channel'), peer: id });
  const tellsApart: Record<string, (c: { agentId: string; channel: string; account: string; kind: string; peer: string }) => string> = {
    main: (c) => (c.kind === 'dm' ? c.agentId : [c.agentId, c.channel, c.kind, c.peer].join()),
    'per-peer': (c) => (c.kind === 'dm' ? [c.agentId, c.peer].join() : [c.agentId, c.channel, c.kind, c.peer].join()),
    'per-channel-peer': (c) => [c.agentId, c.channel, c.kind, c.peer].join(),
    'per-account-channel-peer': (c) => [c.agentId, c.channel, c.kind, c.peer, c.kind === 'dm' ? c.account : ''].join(),
  };
  fc.assert(
    fc.property(conversation, conversation, fc.constantFrom(...Object.keys(tellsApart)), (one, other, dmScope) => {
      const key = (c: typeof one) =>
        peerSessionKey({ agentId: c.agentId, channel: c.channel, accountId: c.account, peerKind: c.kind, peerId: c.peer, dmScope });
      const same = tellsApart[dmScope] as (c: typeof one) => string;
      expect(key(one) === key(other)).toBe(same(one) === same(other));
    }),
    { numRuns: 3_000 },
  );
});

test('the key of a routed conversation is canonical already, and no two peers have one, whatever colons their ids hold', () => {
  const peer = fc.oneof(
    id,
    fc.array(fc.constantFrom(':', '::', 'a', 'direct', 'dm', 'thread', ' ', 'group'), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  );
  const scopes = fc.constantFrom('per-peer', 'per-channel-peer', 'per-account-channel-peer');
  fc.assert(
    fc.property(peer, peer, scopes, fc.constantFrom('dm', 'group', 'channel'), (one, other, dmScope, kind) => {
      const key = (peerId: string) => resolveRoute({ session: { dmScope } }, { channel: 'slack', accountId: 'biz', peer: { kind, id: peerId } }).sessionKey;
      expect(canonicaliseKey({}, key(one))).toBe(key(one));
      expect(canonicaliseKey({}, key(one)) === canonicaliseKey({}, key(other))).toBe((one.trim() || 'unknown') === (other.trim() || 'unknown'));
    }),
    { numRuns: 3_000 },
  );
});

test('letter case and blanks around an id never make another session, and links fold in any case', () => {
  const mangled = (value: string) =>
    fc
      .tuple(fc.array(fc.boolean(), { minLength: value.length, maxLength: value.length }), fc.constantFrom('', ' ', '\t'))
      .map(([upper, blank]) => `${blank}${[...value].map((letter, at) => (upper[at] ? letter.toUpperCase() : letter)).join('')}${blank}`);
  const links = { Alice: ['Telegram:AbC', 'slack:u1'], bob: ['zed'] };
  const spellings = fc.tuple(mangled('telegram'), mangled('abc'), mangled('slack'), mangled('u1'), mangled('nobody'));
  fc.assert(
    fc.property(spellings, fc.constantFrom('per-peer', 'per-channel-peer'), ([telegram, abc, slack, u1, nobody], dmScope) => {
      const key = (channel: string, peerId: string) => peerSessionKey({ agentId: 'main', channel, peerId, dmScope, identityLinks: links });
      const place = (channel: string) => (dmScope === 'per-peer' ? '' : `${channel}:`);
      expect(key(telegram, abc)).toBe(`agent:main:${place('telegram')}dm:alice`);
      expect(key(slack, u1)).toBe(`agent:main:${place('slack')}dm:alice`);
      expect(key(slack, abc)).toBe(`agent:main:${place('slack')}dm:abc`);
      expect(key(slack, nobody)).toBe(`agent:main:${place('slack')}dm:nobody`);
    }),
  );
});

test('a thread is never NaN and never blank', () => {
  const base = 'agent:main:slack:channel:c';
  for (const threadId of [Number.NaN, Number.POSITIVE_INFINITY, '', '  ', null, undefined])
    expect(threadSession({ baseSessionKey: base, threadId })).toEqual({ sessionKey: base });
  expect(threadSession({ baseSessionKey: base, threadId: 7.9 }).sessionKey).toBe(`${base}:thread:7`);
});
