import { DEFAULT_AGENT_ID, DEFAULT_MAIN_KEY, type Loose, lowered, normaliseAgentId, trimmed } from './normalise.js';
import { mainSessionKey } from './session-key.js';

const AGENT_PREFIX = 'agent:';
const THREAD_MARK = ':thread:';
const SUBAGENT_MARK = ':subagent:';

export interface AgentKey {
  readonly agentId: string;
  /** What stands behind the agent, segments joined by `:`. */
  readonly rest: string;
}

/** Reads `agent:<agentId>:<rest>` in any case, empty segments dropped; undefined for everything else. The result is lower case. */
export function parseAgentKey(key: Loose): AgentKey | undefined {
  const [prefix, agentId, ...rest] = lowered(key)
    .split(':')
    .filter((segment) => segment !== '');
  if (prefix !== 'agent' || agentId === undefined || rest.length === 0) return undefined;
  return { agentId, rest: rest.join(':') };
}

/**
 * {@link parseAgentKey}, with the rest kept to the letter: empty segments count only between agent and rest. Ids of peers may hold any
 * colons, and two that differ in them are two people.
 */
export function splitAgentKey(key: Loose): AgentKey | undefined {
  const parsed = parseAgentKey(key);
  const rest = parsed && /^:*agent:+[^:]+:+(.*)$/s.exec(lowered(key))?.[1];
  return parsed && { agentId: parsed.agentId, rest: rest || parsed.rest };
}

/** The agent that a key belongs to; `main` for keys that name none. */
export function agentIdOfKey(key: Loose): string {
  return normaliseAgentId(parseAgentKey(key)?.agentId ?? DEFAULT_AGENT_ID);
}

/** The agent that a caller means, by its id or else by the key of a session, as it stands in keys; undefined when neither names one. */
export function agentIdOf({ agentId, sessionKey }: { readonly agentId?: Loose; readonly sessionKey?: Loose }): string | undefined {
  if (trimmed(agentId) !== '') return normaliseAgentId(agentId);
  const parsed = parseAgentKey(sessionKey);
  return parsed && normaliseAgentId(parsed.agentId);
}

export type KeyShape = 'missing' | 'agent' | 'malformed_agent' | 'legacy_or_alias';

export function keyShape(key: Loose): KeyShape {
  const text = lowered(key);
  if (text === '') return 'missing';
  if (parseAgentKey(text)) return 'agent';
  return text.startsWith(AGENT_PREFIX) ? 'malformed_agent' : 'legacy_or_alias';
}

function hasKind(key: Loose, prefix: string): boolean {
  return lowered(key).startsWith(prefix) || parseAgentKey(key)?.rest.startsWith(prefix) === true;
}

export const isSubagentKey = (key: Loose): boolean => hasKind(key, 'subagent:');
export const isAcpKey = (key: Loose): boolean => hasKind(key, 'acp:');
/** Only inside an agent: a bare `cron:` is a request form. */
export const isCronKey = (key: Loose): boolean => parseAgentKey(key)?.rest.startsWith('cron:') === true;

/** How deep a sub-agent's session is nested; 0 for ordinary sessions. */
export function subagentDepth(key: Loose): number {
  return lowered(key).split(SUBAGENT_MARK).length - 1;
}

/** The conversation that a thread's key belongs to, in the case it was written; undefined when the key names no thread. */
export function threadParent(key: Loose): string | undefined {
  const text = trimmed(key);
  const at = text.toLowerCase().lastIndexOf(THREAD_MARK);
  if (at <= 0 || text.length === at + THREAD_MARK.length) return undefined;
  return text.slice(0, at);
}

/** Splits a key into conversation and thread. */
export function splitThread(key: Loose): { baseSessionKey: string; threadId?: string } {
  const base = threadParent(key);
  if (base === undefined) return { baseSessionKey: trimmed(key) };
  return { baseSessionKey: base, threadId: trimmed(key).slice(base.length + THREAD_MARK.length) };
}

/** How a caller names a stored session inside its agent; undefined for blank. */
export function requestKey(storeKey: Loose): string | undefined {
  return parseAgentKey(storeKey)?.rest ?? (trimmed(storeKey) || undefined);
}

/** Where a caller's key is stored: inside the agent, unless it names an agent already. */
export function storeKey(input: { agentId: Loose; requestKey: Loose; mainKey?: Loose }): string {
  const key = lowered(input.requestKey);
  if (key === '' || key === DEFAULT_MAIN_KEY) return mainSessionKey(input.agentId, input.mainKey);
  return key.startsWith(AGENT_PREFIX) ? key : `${AGENT_PREFIX}${normaliseAgentId(input.agentId)}:${key}`;
}
