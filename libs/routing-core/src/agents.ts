import { DEFAULT_AGENT_ID, type Loose, normaliseAgentId, trimmed } from './normalise.js';
import type { RoutingConfig } from './routing-config.js';

/** The agent for everything that names none: the first one flagged `default`, else the first of the list, else `main`. */
export function defaultAgentId(config: RoutingConfig): string {
  const list = config.agents?.list ?? [];
  const chosen = list.find((agent) => agent.default === true) ?? list[0];
  return normaliseAgentId(chosen?.id ?? DEFAULT_AGENT_ID);
}

/**
 * The agent that a binding or a caller means. A blank id means the default agent; with a list, an id that is not in it does too;
 * without a list any id is taken as it is.
 */
export function selectAgent(config: RoutingConfig, wanted: Loose): string {
  if (trimmed(wanted) === '') return defaultAgentId(config);
  const id = normaliseAgentId(wanted);
  const list = config.agents?.list ?? [];
  if (list.length === 0 || list.some((agent) => normaliseAgentId(agent.id) === id)) return id;
  return defaultAgentId(config);
}

/** True when the id names a configured agent, or no agents are configured at all. */
export function isKnownAgent(config: RoutingConfig, wanted: Loose): boolean {
  const list = config.agents?.list ?? [];
  return list.length === 0 || list.some((agent) => normaliseAgentId(agent.id) === normaliseAgentId(wanted));
}
