import { resolveQueue, type TenantConfig } from '@plexus/agent-config';

/** Queue of an agent for messages of a channel; without a channel: for clients. */
export function queueSettings(config: TenantConfig, of: { readonly channel?: string | undefined; readonly agentId: string }): ReturnType<typeof resolveQueue> {
  return resolveQueue(config, { agentId: of.agentId, ...(of.channel === undefined ? {} : { channel: of.channel }) });
}
