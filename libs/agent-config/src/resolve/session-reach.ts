import type { TenantConfig } from '../schema/tenant-config.js';

/** A session in the eyes of another: whose it is, and which sessions it was started from. */
export interface SessionPlace {
  readonly agentId: string;
  readonly sessionKey: string;
  /** Keys of the sessions that led to this one, the nearest first. */
  readonly ancestors?: readonly string[];
}

/** Whether a session may be read or written from another, and which rule said so. */
export interface SessionReach {
  readonly allowed: boolean;
  readonly reason: 'self' | 'tree' | 'agent' | 'all' | 'beyond_visibility' | 'agent_to_agent_off' | 'agent_not_listed';
}

/**
 * Decides whether tools of one session may reach another of the same owner: as far as `tools.sessions.visibility` says (`tree` unless
 * configured), and into sessions of another agent only if `tools.agentToAgent` is on and lists both agents.
 */
export function sessionReach(config: TenantConfig, from: SessionPlace, to: SessionPlace): SessionReach {
  if (from.sessionKey === to.sessionKey) return { allowed: true, reason: 'self' };
  const rule = ruleThatReaches(config, from, to);
  if (rule === undefined) return { allowed: false, reason: 'beyond_visibility' };
  if (from.agentId === to.agentId) return { allowed: true, reason: rule };
  const { enabled, allow = [] } = config.tools?.agentToAgent ?? {};
  if (enabled !== true) return { allowed: false, reason: 'agent_to_agent_off' };
  const isListed = (agentId: string) => allow.length === 0 || allow.includes('*') || allow.includes(agentId);
  return isListed(from.agentId) && isListed(to.agentId) ? { allowed: true, reason: rule } : { allowed: false, reason: 'agent_not_listed' };
}

function ruleThatReaches(config: TenantConfig, from: SessionPlace, to: SessionPlace): 'tree' | 'agent' | 'all' | undefined {
  const visibility = config.tools?.sessions?.visibility ?? 'tree';
  if (visibility === 'self') return undefined;
  if (to.ancestors?.includes(from.sessionKey)) return 'tree';
  if (visibility === 'all') return 'all';
  return visibility === 'agent' && from.agentId === to.agentId ? 'agent' : undefined;
}
