import { DEFAULT_AGENT_ID, type Loose, listOf, normaliseAgentId, trimmed } from './normalise.js';
import type { AgentEntry, RoutingConfig } from './routing-config.js';

const isEntry = (agent: AgentEntry | null | undefined): agent is AgentEntry => agent !== null && typeof agent === 'object';
const entriesOf = (config: RoutingConfig): readonly AgentEntry[] => listOf(config.agents?.list).filter(isEntry);

/** The agent for everything that names none: the first one flagged `default`, else the first of the list, else `main`. */
export function defaultAgentId(config: RoutingConfig): string {
  const list = entriesOf(config);
  const chosen = list.find((agent) => agent.default === true) ?? list[0];
  return normaliseAgentId(chosen?.id ?? DEFAULT_AGENT_ID);
}

/** Who may answer, prepared for many questions: see {@link selectAgent}. */
export interface AgentDirectory {
  readonly defaultId: string;
  /** Normalised ids; empty when the configuration lists no agents, and then any id is taken as it is. */
  readonly known: ReadonlySet<string>;
}

export function agentDirectory(config: RoutingConfig): AgentDirectory {
  return { defaultId: defaultAgentId(config), known: new Set(entriesOf(config).map((agent) => normaliseAgentId(agent.id))) };
}

/**
 * The agent that a binding or a caller means. A blank id means the default agent; with a list, an id that is not in it does too;
 * without a list any id is taken as it is.
 */
export function selectFrom(agents: AgentDirectory, wanted: Loose): string {
  if (trimmed(wanted) === '') return agents.defaultId;
  const id = normaliseAgentId(wanted);
  return agents.known.size === 0 || agents.known.has(id) ? id : agents.defaultId;
}

/** {@link selectFrom} for a single question. */
export function selectAgent(config: RoutingConfig, wanted: Loose): string {
  return selectFrom(agentDirectory(config), wanted);
}

/** True when the id names a configured agent, or no agents are configured at all. */
export function isKnownAgent(config: RoutingConfig, wanted: Loose): boolean {
  const { known } = agentDirectory(config);
  return known.size === 0 || known.has(normaliseAgentId(wanted));
}
