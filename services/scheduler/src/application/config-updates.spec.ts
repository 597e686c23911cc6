import { type AgentUpdate, changedAgents, ConfigUpdates } from './config-updates.js';

const list = (...agents: { id: string; systemPrompt?: string; model?: string; name?: string }[]) => ({ agents: { list: agents } });

describe('what running VMs are told of a changed configuration', () => {
  it('is only what their sessions hold: prompt and model of agents that changed, null for what was taken back', () => {
    const before = list({ id: 'a', model: 'm1' }, { id: 'b', systemPrompt: 'Be brief.' }, { id: 'c', name: 'Old name' });
    const after = list({ id: 'a', model: 'm2' }, { id: 'b' }, { id: 'c', name: 'New name' });
    expect(changedAgents(before, after)).toEqual([
      { agentId: 'a', settings: { model: 'm2', system_prompt: null } },
      { agentId: 'b', settings: { model: null, system_prompt: null } },
    ]);
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
    const updates = new ConfigUpdates(store, { out: (_tenant, vmId) => hinted.push(vmId) });
    await updates.apply({ tenant: 'acme', before: list({ id: 'a' }), after: list({ id: 'a', name: 'A' }), revision: 3 });
    expect(queued).toEqual([]);
    await updates.apply({ tenant: 'acme', before: list({ id: 'a' }), after: list({ id: 'a', model: 'm' }), revision: 4 });
    expect([queued.length, hinted]).toEqual([1, ['vm-1', 'vm-2']]);
  });
});
