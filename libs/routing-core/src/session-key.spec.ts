import fc from 'fast-check';
import {
  canonicalKey,
  compileRoutes,
  mainSessionKey,
  migrateStoreKey,
  normaliseAccountId,
  normaliseAgentId,
  parseAgentKey,
  resolveRoute,
  sessionKeyFor,
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

test('a route always leads to its own agent, whatever the bindings say', () => {
  const binding = fc.record({
    agentId: text,
    match: fc.record({
      channel: fc.constantFrom('slack', ' Slack', ''),
      accountId: fc.constantFrom('*', 'a', undefined),
      guildId: fc.constantFrom('g', undefined),
    }),
  });
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 8 }), text, fc.constantFrom('dm', 'group', 'direct', 'odd'), (bindings, id, kind) => {
      const route = resolveRoute(compileRoutes({ bindings }), { channel: 'slack', accountId: 'a', guildId: 'g', peer: { kind, id } });
      expect(route.mainSessionKey).toBe(mainSessionKey(route.agentId));
      expect(route.sessionKey.startsWith(`agent:${route.agentId}:`)).toBe(true);
    }),
  );
});
