import { TenantConfig, type TenantConfigInput } from '@plexus/agent-config';
import { type AgentUpdate, changedAgents, ConfigUpdates } from './config-updates.js';

const configOf = (input: TenantConfigInput) => TenantConfig.parse(input);
const list = (...agents: { id: string; systemPrompt?: string; model?: string; name?: string }[]) => configOf({ agents: { list: agents } });

describe('what running VMs are told of a changed configuration', () => {
  it('is only what their sessions hold: prompt and model of agents that changed, null for what was taken back', () => {
    const before = list({ id: 'a', model: 'm1' }, { id: 'b', systemPrompt: 'Be brief.' }, { id: 'c', name: 'Old name' });
    const after = list({ id: 'a', model: 'm2' }, { id: 'b' }, { id: 'c', name: 'New name' });
    expect(changedAgents(before, after)).toEqual([
      { agentId: 'a', settings: { model: 'm2', system_prompt: null } },
      { agentId: 'b', settings: { model: null, system_prompt: null } },
    ]);
  });

  it('is a model from wherever it comes: agents.defaults, models.default, or a provider that now offers the name', () => {
    const agents = { list: [{ id: 'a' }, { id: 'b', model: 'own' }] };
    const bare = configOf({ agents });
    const told = (after: TenantConfigInput) => changedAgents(bare, configOf(after)).map(({ agentId, settings }) => [agentId, settings.model]);
    expect(told({ agents: { ...agents, defaults: { model: 'd' } } })).toEqual([['a', 'd']]);
    const providers = { acme: { baseUrl: 'http://acme' } };
    expect(told({ agents, models: { providers, default: 'acme/large' } })).toEqual([['a', 'large']]);
    expect(told({ agents, models: { providers } })).toEqual([]);
  });

  it('is also tool rules, temperature and longest answer, and that skills or MCP servers are to be read anew', () => {
    const told = (before: TenantConfigInput, after: TenantConfigInput) => changedAgents(configOf(before), configOf(after));
    const bare = { agentId: 'main', settings: { model: null, system_prompt: null } };
    const strict = { tools: { deny: ['exec'] }, agents: { defaults: { temperature: 0.2, maxTokens: 500 }, list: [{ id: 'main' }] } };
    expect(told({}, strict)).toEqual([{ ...bare, settings: { ...bare.settings, temperature: 0.2, max_tokens: 500, tools: [{ allow: [], deny: ['exec'] }] } }]);
    expect(told(strict, {})).toEqual([{ ...bare, settings: { ...bare.settings, temperature: null, max_tokens: null, tools: null } }]);
    const servers = { mcp: { servers: { files: { command: 'mcp-files' } } } };
    expect(told({}, servers)).toEqual([{ ...bare, refresh: ['mcp_servers'] }]);
    expect(told(servers, servers)).toEqual([]);
    expect(told({}, { agents: { list: [{ id: 'main', skills: ['a'] }] } })).toEqual([{ ...bare, refresh: ['skill_index'] }]);
    expect(told({ mcp: { servers: { files: { command: 'x', agents: [] } } } }, {})).toEqual([]);
  });

  it('asks nobody when nothing of it changed, and hints at exactly the VMs that have something new', async () => {
    const queued: (readonly AgentUpdate[])[] = [];
    const hinted: string[] = [];
    const store = {
      queue: async (_tenant: string, _revision: number, updates: readonly AgentUpdate[]) => {
        queued.push(updates);
        return ['vm-1', 'vm-2'];
      },
    };
    const all = { ...store, queueForAll: async (_tenant: string, refresh: readonly string[]) => [`vm-${refresh.join()}`] };
    const updates = new ConfigUpdates(all, { out: (_tenant, vmId) => hinted.push(vmId) });
    await updates.apply({ tenant: 'acme', before: list({ id: 'a' }), after: list({ id: 'a', name: 'A' }), revision: 3 });
    expect(queued).toEqual([]);
    await updates.apply({ tenant: 'acme', before: list({ id: 'a' }), after: list({ id: 'a', model: 'm' }), revision: 4 });
    expect([queued.length, hinted]).toEqual([1, ['vm-1', 'vm-2']]);
    await updates.skillsChanged('acme');
    expect(hinted.slice(2)).toEqual(['vm-skill_index']);
  });
});
