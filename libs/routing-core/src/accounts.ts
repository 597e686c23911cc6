import { defaultAgentId } from './agents.js';
import { ANY } from './binding.js';
import { type Loose, listOf, normaliseAccountId, normaliseAgentId, resolveChannelAlias, trimmed } from './normalise.js';
import type { RoutingConfig } from './routing-config.js';

interface BoundAccount {
  readonly channel: string;
  readonly agentId: string;
  readonly accountId: string;
}

/** Bindings that name one account, in the order of the configuration; channel aliases are resolved. */
function boundAccounts(config: RoutingConfig): BoundAccount[] {
  const bound: BoundAccount[] = [];
  for (const binding of listOf(config.bindings)) {
    const match = binding?.match;
    const channel = resolveChannelAlias(match?.channel);
    const account = trimmed(match?.accountId);
    if (!binding || channel === '' || account === '' || account === ANY) continue;
    bound.push({ channel, agentId: normaliseAgentId(binding.agentId), accountId: normaliseAccountId(account) });
  }
  return bound;
}

/** The accounts of a channel that bindings name, each once, sorted. */
export function boundAccountIds(config: RoutingConfig, channel: Loose): string[] {
  const wanted = resolveChannelAlias(channel);
  return [...new Set(boundAccounts(config).flatMap((bound) => (bound.channel === wanted ? [bound.accountId] : [])))].sort();
}

/** The account through which the default agent speaks on a channel: that of its first binding. */
export function defaultAgentAccountId(config: RoutingConfig, channel: Loose): string | undefined {
  const wanted = resolveChannelAlias(channel);
  const agentId = defaultAgentId(config);
  return boundAccounts(config).find((bound) => bound.channel === wanted && bound.agentId === agentId)?.accountId;
}

/** Channel → agent → accounts, in the order in which the configuration names them first. */
export function channelAccountBindings(config: RoutingConfig): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const channels = new Map<string, Map<string, string[]>>();
  for (const { channel, agentId, accountId } of boundAccounts(config)) {
    const agents = channels.get(channel) ?? new Map<string, string[]>();
    channels.set(channel, agents);
    const accounts = agents.get(agentId) ?? [];
    agents.set(agentId, accounts);
    if (!accounts.includes(accountId)) accounts.push(accountId);
  }
  return channels;
}

/** The account to speak through: the first bound one, whether it is available or not, else the default. */
export function preferredAccountId(input: { defaultAccountId: string; boundAccounts: readonly string[] }): string {
  return input.boundAccounts[0] ?? input.defaultAccountId;
}
