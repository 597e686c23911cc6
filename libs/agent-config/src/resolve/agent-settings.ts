import type { McpServerConfig } from '../schema/mcp-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { findAgent } from './agents.js';

/** How an agent's model is asked, and how long an answer may go on. Absent: what the runtime takes. */
export interface AgentRunSettings {
  readonly runtime: 'semigraph' | 'openclaw';
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly maxTurns?: number;
  readonly contextTokens?: number;
  readonly contextPruning?: 'off' | 'cache-ttl';
}

/** Each setting of the agent's own, else that of `agents.defaults`. */
export function resolveRunSettings(config: TenantConfig, agentId: string): AgentRunSettings {
  const agent = findAgent(config, agentId);
  const { defaults } = config.agents;
  const temperature = agent?.temperature ?? defaults?.temperature;
  const maxTokens = agent?.maxTokens ?? defaults?.maxTokens;
  const maxTurns = agent?.maxTurns ?? defaults?.maxTurns;
  const contextTokens = agent?.contextTokens ?? defaults?.contextTokens;
  const contextPruning = agent?.contextPruning ?? defaults?.contextPruning;
  return {
    runtime: agent?.runtime ?? defaults?.runtime ?? 'semigraph',
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(maxTurns !== undefined && { maxTurns }),
    ...(contextTokens !== undefined && { contextTokens }),
    ...(contextPruning !== undefined && { contextPruning }),
  };
}

/** True when the agent may use a skill: no list allows all, an empty one none. */
export function resolveSkills(config: TenantConfig, agentId: string): (skillId: string) => boolean {
  const names = findAgent(config, agentId)?.skills ?? config.agents.defaults?.skills;
  if (names === undefined) return () => true;
  const allowed = new Set(names.map((name) => name.trim().toLowerCase()));
  return (skillId) => allowed.has(skillId);
}

/** The MCP servers that an agent may use, by id. */
export function resolveMcpServers(config: TenantConfig, agentId: string): [id: string, server: McpServerConfig][] {
  const wanted = agentId.trim().toLowerCase();
  return Object.entries(config.mcp?.servers ?? {})
    .filter(([, { enabled = true, agents }]) => enabled && (agents === undefined || agents.includes(wanted)))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
