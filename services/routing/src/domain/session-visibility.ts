import { agentIdOfKey, parseAgentKey } from '@plexus/routing-core';

export type Visibility = 'self' | 'tree' | 'agent' | 'all';

export interface AgentReach {
  readonly visibility: Visibility;
  readonly agentToAgent: { readonly enabled: boolean; readonly allow: readonly string[] };
}

export type Reach = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/**
 * Whether an agent that speaks from one session may reach another of the same owner. `self`: its own; `tree`: those that it started as well (sub-agents
 * below its key); `agent`: all of the same agent; `all`: also those of other agents, if both take part in agent-to-agent.
 */
export function mayReach(reach: AgentReach, acting: string, wanted: string): Reach {
  if (acting === wanted) return { allowed: true };
  const [from, to] = [parseAgentKey(acting), parseAgentKey(wanted)];
  if (!from || !to) return refuse('Only sessions of agents can be reached from an agent.');
  const [actor, target] = [agentIdOfKey(acting), agentIdOfKey(wanted)];
  if (actor !== target) {
    if (reach.visibility !== 'all') return refuse(`tools.sessions.visibility is ${reach.visibility}; sessions of other agents need all.`);
    if (!reach.agentToAgent.enabled) return refuse('tools.agentToAgent is not enabled.');
    const { allow } = reach.agentToAgent;
    const takesPart = (agent: string) => allow.length === 0 || allow.includes('*') || allow.includes(agent);
    return takesPart(actor) && takesPart(target) ? { allowed: true } : refuse('tools.agentToAgent.allow does not name both agents.');
  }
  if (reach.visibility === 'agent' || reach.visibility === 'all') return { allowed: true };
  if (reach.visibility === 'tree' && isBelow(acting, wanted)) return { allowed: true };
  return refuse(`tools.sessions.visibility is ${reach.visibility}.`);
}

/** Sessions that were started from another carry its key in front; those of sub-agents start with `subagent:` behind the agent of a main session. */
function isBelow(acting: string, wanted: string): boolean {
  if (wanted.startsWith(`${acting}:`)) return true;
  const isMain = acting.split(':').length === 3 && !acting.includes(':subagent:');
  return isMain && wanted.startsWith(`agent:${agentIdOfKey(acting)}:subagent:`);
}

const refuse = (reason: string): Reach => ({ allowed: false, reason });
