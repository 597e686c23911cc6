import { sessionReach, type TenantConfigInput } from '../index.js';
import { configOf } from '../../test/documents.js';

const own = { agentId: 'a', sessionKey: 'agent:a:main' };
const child = { agentId: 'a', sessionKey: 'agent:a:subagent:1', ancestors: ['agent:a:main'] };
const sibling = { agentId: 'a', sessionKey: 'agent:a:other' };
const foreign = { agentId: 'b', sessionKey: 'agent:b:main' };
const foreignChild = { agentId: 'b', sessionKey: 'agent:b:subagent:2', ancestors: ['agent:a:main'] };
const reach = (tools: TenantConfigInput['tools']) =>
  [own, child, sibling, foreign, foreignChild].map((to) => sessionReach(configOf({ ...(tools && { tools }) }), own, to).reason);

describe('sessionReach', () => {
  it('goes as far as what a session started itself, unless configured', () =>
    expect(reach(undefined)).toEqual(['self', 'tree', 'beyond_visibility', 'beyond_visibility', 'agent_to_agent_off']));

  it('goes as far as the visibility says', () => {
    expect(reach({ sessions: { visibility: 'self' } })).toEqual(['self', ...Array(4).fill('beyond_visibility')]);
    expect(reach({ sessions: { visibility: 'agent' } })).toEqual(['self', 'tree', 'agent', 'beyond_visibility', 'agent_to_agent_off']);
    expect(reach({ sessions: { visibility: 'all' }, agentToAgent: { enabled: true } })).toEqual(['self', 'tree', 'all', 'all', 'tree']);
  });

  it('reaches another agent only if both are listed', () => {
    const all = { sessions: { visibility: 'all' as const } };
    expect(reach({ ...all, agentToAgent: { enabled: true, allow: ['b'] } })[3]).toBe('agent_not_listed');
    expect(reach({ ...all, agentToAgent: { enabled: true, allow: ['a', 'b'] } })[3]).toBe('all');
    expect(reach({ ...all, agentToAgent: { enabled: true, allow: ['*'] } })[3]).toBe('all');
  });

  it('answers allowed exactly for the rules that allow', () => {
    const config = configOf({});
    expect([own, child, sibling].map((to) => sessionReach(config, own, to).allowed)).toEqual([true, true, false]);
  });
});
