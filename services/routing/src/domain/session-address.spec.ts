import { parseTenantConfig } from '@plexus/agent-config';
import { addressSession, storedKey } from './session-address.js';

const owner = { tenant: 'acme', owner: 'ada' };
const parsed = parseTenantConfig({ agents: { list: [{ id: 'main', default: true }, { id: 'ops' }] } });
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const config = parsed.value;

test.each([
  [{}, 'agent:main:main', 'main'],
  [{ sessionKey: 'MAIN' }, 'agent:main:main', 'main'],
  [{ agentId: 'Ops' }, 'agent:ops:main', 'ops'],
  [{ sessionKey: 'Fan', agentId: 'ops' }, 'agent:ops:fan', 'ops'],
  [{ sessionKey: ' Agent:OPS:Fan ' }, 'agent:ops:fan', 'ops'],
  [{ sessionKey: 'global' }, 'global', 'main'],
  [{ sessionKey: 'global', agentId: 'ops' }, 'global', 'ops'],
])('%j means %s', (wanted, sessionKey, agentId) => {
  expect(addressSession(config, owner, wanted)).toMatchObject({ ...owner, sessionKey, agentId });
});

test.each([
  [{ sessionKey: 'agent:ops' }, 'INVALID_REQUEST'],
  [{ sessionKey: 'agent:ops:x', agentId: 'main' }, 'INVALID_REQUEST'],
  [{ sessionKey: 'a\u0000b' }, 'INVALID_REQUEST'],
  [{ sessionKey: 'x'.repeat(510) }, 'INVALID_REQUEST'],
  [{ sessionKey: 'agent:ghost:main' }, 'NOT_FOUND'],
  [{ agentId: 'ghost' }, 'NOT_FOUND'],
])('%j is refused with %s', (wanted, code) => {
  expect(() => addressSession(config, owner, wanted)).toThrow(expect.objectContaining({ code }));
});

test('a session of an agent that is no longer configured can still be read', () => {
  expect(storedKey(config, { sessionKey: 'agent:ghost:main' })).toBe('agent:ghost:main');
});
