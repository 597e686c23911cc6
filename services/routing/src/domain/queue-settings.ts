import { findAgent, resolveQueue, type TenantConfig } from '@plexus/agent-config';
import type { QueueMode } from './queue-policy.js';

/** Queue of an agent for messages of a channel; without a channel: for clients. */
export function queueSettings(config: TenantConfig, of: { readonly channel?: string | undefined; readonly agentId: string }): ReturnType<typeof resolveQueue> {
  return resolveQueue(config, { agentId: of.agentId, ...(of.channel === undefined ? {} : { channel: of.channel }) });
}

/**
 * What a busy session does with a message of a client that asks for nothing: as the tenant configured it; where nothing is configured each message is
 * answered by a run of its own, because the client holds the id of that run and waits for its end. Messages of channels are collected by default.
 */
export function clientQueueMode(config: TenantConfig, agentId: string): QueueMode {
  const configured = [findAgent(config, agentId)?.queue, config.messages?.queue, config.agents.defaults?.queue].some((queue) => queue?.mode !== undefined);
  return configured ? queueSettings(config, { agentId }).mode : 'followup';
}
