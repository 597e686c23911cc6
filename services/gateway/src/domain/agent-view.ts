import { findAgent, redactSecrets, resolveModel, resolveSystemPrompt, type TenantConfig } from '@plexus/agent-config';

/** What anybody in the tenant may know of an agent. */
export interface AgentCard {
  readonly agent_id: string;
  readonly name?: string;
  readonly identity?: unknown;
  readonly model?: string;
}

/** What an agent may know of its own configuration, in the words of the VM protocol. */
export interface AgentSettingsView extends AgentCard {
  readonly fallback_models: readonly string[];
  readonly system_prompt?: string;
  readonly skills?: readonly string[];
  readonly tools?: unknown;
  readonly heartbeat?: unknown;
  readonly queue?: unknown;
}

/** Undefined when the tenant has no such agent. */
export function agentCard(config: TenantConfig, agentId: string): AgentCard | undefined {
  const agent = findAgent(config, agentId);
  if (agent === undefined) return undefined;
  const { ref } = resolveModel(config, agentId);
  return {
    agent_id: agent.id,
    ...(agent.name === undefined ? {} : { name: agent.name }),
    ...(agent.identity === undefined ? {} : { identity: agent.identity }),
    ...(ref === undefined ? {} : { model: ref }),
  };
}

/**
 * The settings of one agent, chosen field by field: providers, their keys, channels and containers are not its business. References stay
 * references; what looks like a secret all the same is blackened. Undefined when the tenant has no such agent.
 */
export function agentSettings(config: TenantConfig, agentId: string): AgentSettingsView | undefined {
  const card = agentCard(config, agentId);
  const agent = findAgent(config, agentId);
  if (card === undefined || agent === undefined) return undefined;
  const { defaults } = config.agents;
  const systemPrompt = resolveSystemPrompt(config, agentId);
  const chosen = {
    skills: agent.skills ?? defaults?.skills,
    tools: agent.tools ?? defaults?.tools,
    heartbeat: agent.heartbeat ?? defaults?.heartbeat,
    queue: agent.queue ?? defaults?.queue,
  };
  const view = {
    ...card,
    fallback_models: resolveModel(config, agentId).fallbacks.map(({ ref }) => ref),
    ...(systemPrompt === undefined ? {} : { system_prompt: systemPrompt }),
    ...Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined)),
  };
  return redactSecrets(view) as AgentSettingsView;
}
