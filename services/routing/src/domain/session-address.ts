import type { AgentConfig, TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import { agentIdOfKey, defaultAgentId, isKnownAgent, normaliseAgentId, parseAgentKey, sessionKeyFor, sessionKind } from '@plexus/routing-core';
import type { Owner } from './caller.js';

const MAX_KEY_LENGTH = 512;

/** A session as its owner names it, in stored form, and the agent that answers in it. */
export interface SessionAddress extends Owner {
  readonly sessionKey: string;
  readonly agentId: string;
  readonly kind: string;
}

/** What a caller wrote to name a session. */
export interface WantedSession {
  readonly sessionKey?: string | undefined;
  readonly agentId?: string | undefined;
}

/** The stored form of the key that a caller means; absent key = main session of the agent, absent agent = the default agent. Throws INVALID_REQUEST. */
export function storedKey(config: TenantConfig, wanted: WantedSession): string {
  const sessionKey = sessionKeyFor(config, wanted.sessionKey, wanted.agentId);
  if (sessionKey === undefined || sessionKey.length > MAX_KEY_LENGTH || !isStorableText(sessionKey)) {
    throw plexusError('INVALID_REQUEST', { message: 'This is no session key.', details: { sessionKey: wanted.sessionKey } });
  }
  return sessionKey;
}

/**
 * The session in which a caller wants something to happen. Throws INVALID_REQUEST for a key that is none or contradicts the agent,
 * NOT_FOUND for an agent that is not configured.
 */
export function addressSession(config: TenantConfig, owner: Owner, wanted: WantedSession): SessionAddress {
  const sessionKey = storedKey(config, wanted);
  const agentId = agentOf(config, sessionKey, wanted.agentId);
  if (wanted.agentId !== undefined && normaliseAgentId(wanted.agentId) !== agentId) {
    throw plexusError('INVALID_REQUEST', { message: 'The session key belongs to another agent.', details: { sessionKey, agentId: wanted.agentId } });
  }
  if (!isKnownAgent(config, agentId)) throw plexusError('NOT_FOUND', { message: 'No such agent is configured.', details: { agentId } });
  return { ...owner, sessionKey, agentId, kind: sessionKind(sessionKey) };
}

/** A key without an agent (`global`, `unknown`) is answered by the wanted or the default agent. */
function agentOf(config: TenantConfig, sessionKey: string, wanted: string | undefined): string {
  if (parseAgentKey(sessionKey)) return agentIdOfKey(sessionKey);
  return wanted === undefined ? defaultAgentId(config) : normaliseAgentId(wanted);
}

/** The configuration of an agent; undefined where agents are not listed. */
export function findAgent(config: TenantConfig, agentId: string): AgentConfig | undefined {
  return config.agents.list.find((agent) => normaliseAgentId(agent.id) === agentId);
}
