import fc from 'fast-check';
import { type AgentReach, mayReach, type Visibility } from './session-visibility.js';

const reach = (visibility: Visibility, allow?: string[]): AgentReach => ({ visibility, agentToAgent: { enabled: allow !== undefined, allow: allow ?? [] } });

test.each<[Visibility, string[] | undefined, string, string, boolean]>([
  ['self', undefined, 'agent:a:main', 'agent:a:main', true],
  ['self', undefined, 'agent:a:main', 'agent:a:other', false],
  ['tree', undefined, 'agent:a:main', 'agent:a:subagent:1', true],
  ['tree', undefined, 'agent:a:subagent:1', 'agent:a:subagent:1:subagent:2', true],
  ['tree', undefined, 'agent:a:subagent:1', 'agent:a:subagent:2', false],
  ['tree', undefined, 'agent:a:main', 'agent:a:telegram:dm:1', false],
  ['agent', undefined, 'agent:a:main', 'agent:a:telegram:dm:1', true],
  ['agent', [], 'agent:a:main', 'agent:b:main', false],
  ['all', undefined, 'agent:a:main', 'agent:b:main', false],
  ['all', [], 'agent:a:main', 'agent:b:main', true],
  ['all', ['a'], 'agent:a:main', 'agent:b:main', false],
  ['all', ['a', 'b'], 'agent:a:main', 'agent:b:main', true],
  ['all', ['*'], 'agent:a:main', 'agent:b:main', true],
  ['all', ['*'], 'global', 'agent:b:main', false],
])('%s, agent-to-agent %j: from %s to %s is %s', (visibility, allow, from, to, allowed) => {
  expect(mayReach(reach(visibility, allow), from, to).allowed).toBe(allowed);
});

test('a wider setting never takes away what a narrower one allows', () => {
  const key = fc.constantFrom('agent:a:main', 'agent:a:x', 'agent:a:subagent:1', 'agent:a:subagent:1:subagent:2', 'agent:b:main', 'global');
  const order: Visibility[] = ['self', 'tree', 'agent', 'all'];
  fc.assert(
    fc.property(key, key, (from, to) => {
      const allowed = order.map((visibility) => mayReach(reach(visibility, ['*']), from, to).allowed);
      expect(allowed).toEqual([...allowed].sort((a, b) => Number(a) - Number(b)));
    }),
  );
});
