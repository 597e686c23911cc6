import { ownerKeyOf, resolveSandbox, type TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { isKnownAgent, normaliseAgentId } from '@plexus/routing-core';
import type { Sandboxes } from '../tokens.js';

/** What `0` means in a configuration: never. Ten years, because a database column needs a number. */
const NEVER_MS = 10 * 365 * 24 * 3_600_000;

export interface SandboxLimits {
  readonly idleMs?: number;
  readonly retentionMs?: number;
}

/** Idle time and retention that the configuration names for an agent; what it does not name is left to the template and the service. */
export function limitsOf(config: TenantConfig | undefined, agentId: string | undefined): SandboxLimits {
  if (config === undefined || agentId === undefined) return {};
  const { scope, prune } = resolveSandbox(config, agentId);
  const own = scope === 'shared' ? undefined : config.agents.list.find(({ id }) => id === agentId)?.sandbox?.prune;
  const global = config.agents.defaults?.sandbox?.prune;
  const named = (key: 'idleMs' | 'maxAgeMs'): boolean => own?.[key] !== undefined || global?.[key] !== undefined;
  return {
    ...(named('idleMs') ? { idleMs: prune.idleMs || NEVER_MS } : {}),
    ...(named('maxAgeMs') ? { retentionMs: prune.maxAgeMs || NEVER_MS } : {}),
  };
}

const OF_AGENT = 'agent:';

/** A scope with its agent as it stands in session keys, so that one agent has one VM however its id is written. */
export function normaliseScope(scope: string): string {
  return scope.startsWith(OF_AGENT) ? OF_AGENT + normaliseAgentId(scope.slice(OF_AGENT.length)) : scope;
}

/** The agent that is meant, as it stands in session keys. Throws NOT_FOUND for one that is not configured: its VM would answer nobody. */
function knownAgent(config: TenantConfig | undefined, wanted: string): string {
  const agentId = normaliseAgentId(wanted);
  if (config !== undefined && !isKnownAgent(config, agentId)) throw plexusError('NOT_FOUND', { message: 'No such agent is configured.', details: { agentId } });
  return agentId;
}

/** Scope and limits of an agent's VM, from the tenant's configuration. Without an agent the caller's scope stands. */
export function sandboxes(configOf: (tenant: string) => TenantConfig | undefined): Sandboxes {
  return (tenant, { scope, agentId: wanted, sessionId }) => {
    const config = configOf(tenant);
    if (wanted === undefined) {
      if (scope.startsWith(OF_AGENT)) knownAgent(config, scope.slice(OF_AGENT.length));
      return { scope: normaliseScope(scope) };
    }
    const agentId = knownAgent(config, wanted);
    if (config === undefined) return { scope };
    const { scope: configured } = resolveSandbox(config, agentId);
    if (configured === 'session' && sessionId === undefined)
      throw plexusError('INVALID_REQUEST', { message: `The agent ${JSON.stringify(agentId)} has one VM per session: name the session.` });
    return { scope: ownerKeyOf(configured, { agentId, sessionId: sessionId ?? '' }), ...limitsOf(config, agentId) };
  };
}
