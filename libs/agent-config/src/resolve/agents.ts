import type { AgentConfig } from '../schema/agents-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';

/** The agent with this id, whatever its case; undefined where it is not listed. */
export function findAgent(config: TenantConfig, agentId: string): AgentConfig | undefined {
  const wanted = agentId.trim().toLowerCase();
  return config.agents.list.find((agent) => agent.id === wanted);
}

/** Who answers where nobody else is named: the flagged agent, else the first of the list, else `main`. */
export function defaultAgentId(config: TenantConfig): string {
  return config.agents.list.find((agent) => agent.default === true)?.id ?? config.agents.list[0]?.id ?? 'main';
}

/** Every agent that the document names, in order and once each: the default one, those of the list, those that bindings send to. */
export function namedAgentIds(config: TenantConfig): string[] {
  return [...new Set([defaultAgentId(config), ...config.agents.list.map((agent) => agent.id), ...config.bindings.map((binding) => binding.agentId)])];
}
