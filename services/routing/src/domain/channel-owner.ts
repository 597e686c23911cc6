import type { TenantConfig } from '@plexus/agent-config';
import { linkedIdentity } from '@plexus/routing-core';
import { findAgent } from './session-address.js';

/** Whose sessions those of channels are where nothing names an owner. */
const DEFAULT_OWNER = 'me';

/** The tenant's default owner. */
export function defaultOwner(config: TenantConfig): string {
  return config.defaultOwner ?? DEFAULT_OWNER;
}

/** Whose a conversation of a channel is: the user that the other party is linked to, else the agent's owner, else the tenant's. */
export function channelOwner(config: TenantConfig, of: { agentId: string; channel: string; peer: { kind: string; id: string } }): string {
  const { agentId, channel, peer } = of;
  const linked = peer.kind === 'dm' || peer.kind === 'direct' ? linkedIdentity(config.session.identityLinks, channel, peer.id) : undefined;
  return linked ?? findAgent(config, agentId)?.owner ?? defaultOwner(config);
}
