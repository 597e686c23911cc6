import { defaultAgentId } from './agents.js';
import { dmWordAt } from './key-parts.js';
import { type Loose, lowered, normaliseAgentId, normaliseMainKey, trimmed, UNKNOWN_PART } from './normalise.js';
import { keyShape, parseAgentKey, splitAgentKey } from './parse-session-key.js';
import type { RoutingConfig } from './routing-config.js';
import { mainSessionKey } from './session-key.js';

export const GLOBAL_KEY = 'global';
const isReserved = (key: string): boolean => key === GLOBAL_KEY || key === UNKNOWN_PART;

/** The main session of the default agent, or `global` where all share one. */
export function tenantMainKey(config: RoutingConfig): string {
  if (config.session?.scope === GLOBAL_KEY) return GLOBAL_KEY;
  return mainSessionKey(defaultAgentId(config), config.session?.mainKey);
}

/** Turns every name of an agent's main session into its one stored form; other keys stay as they are, trimmed. */
export function canonicalMainAlias(config: RoutingConfig, agentId: Loose, sessionKey: Loose): string {
  const key = trimmed(sessionKey);
  const agent = normaliseAgentId(agentId);
  const mainKey = normaliseMainKey(config.session?.mainKey);
  const aliases = ['main', mainKey, `agent:${agent}:main`, `agent:${agent}:${mainKey}`];
  if (key === '' || !aliases.includes(key)) return key;
  return config.session?.scope === GLOBAL_KEY ? GLOBAL_KEY : mainSessionKey(agent, mainKey);
}

/**
 * The stored form of a key that a caller names. Bare keys belong to `agentId` (absent: the default agent); blank stays blank.
 * Letter case is kept, as the vectors ask; callers that want one session per spelling use {@link sessionKeyFor}.
 */
export function canonicalKey(config: RoutingConfig, sessionKey: Loose, agentId?: Loose): string {
  const key = trimmed(sessionKey);
  if (key === '' || isReserved(key)) return key;
  const parsed = parseAgentKey(key);
  if (parsed) return canonicalMainAlias(config, parsed.agentId, key);
  const agent = trimmed(agentId) === '' ? defaultAgentId(config) : normaliseAgentId(agentId);
  if (key === 'main' || key === normaliseMainKey(config.session?.mainKey)) return canonicalMainAlias(config, agent, key);
  return `agent:${agent}:${key}`;
}

/**
 * The one key under which a caller's session is stored: lower case, agent id normalised, no empty segments before the rest, `direct` read as `dm`
 * (or the other way round where `session.dmKeyword` says so). A blank key means the agent's main session. Undefined for a key that starts
 * like an agent's and names no session (`agent:ops:`). Canonicalising twice changes nothing.
 */
export function canonicaliseKey(config: RoutingConfig, sessionKey: Loose, agentId?: Loose): string | undefined {
  const key = lowered(sessionKey) || 'main';
  if (keyShape(key) === 'malformed_agent') return undefined;
  const keyword = config.session?.dmKeyword === 'direct' ? 'direct' : 'dm';
  const canonical = canonicalKey(config, tidy(key, keyword) ?? key, agentId);
  return isReserved(canonical) ? canonical : tidy(canonical, keyword);
}

function tidy(key: string, keyword: 'dm' | 'direct'): string | undefined {
  const parsed = splitAgentKey(key);
  return parsed && `agent:${normaliseAgentId(parsed.agentId)}:${withDmKeyword(parsed.rest, keyword)}`;
}

/** Writes the word for direct messages one way: `dm:x`, `<channel>:dm:x` and `<channel>:<account>:dm:x`, never inside an id. */
function withDmKeyword(rest: string, keyword: 'dm' | 'direct'): string {
  const segments = rest.split(':');
  const at = dmWordAt(segments);
  if (at < 0) return rest;
  segments[at] = keyword;
  return segments.join(':');
}

/** Brings a key written by an older release into agent form, lower case. Further spellings are left to {@link migrateKey}. */
export function migrateStoreKey(input: { key: Loose; agentId: Loose; mainKey?: Loose; scope?: string | null | undefined }): string {
  const key = lowered(input.key);
  if (key === '' || isReserved(key)) return key;
  const agent = normaliseAgentId(input.agentId);
  const config: RoutingConfig = { session: { mainKey: input.mainKey, scope: input.scope } };
  const alias = canonicalMainAlias(config, agent, key);
  if (alias !== key || key.startsWith('agent:')) return alias;
  if (key.startsWith('group:')) return `agent:${agent}:${key.includes('@g.us') ? 'whatsapp' : UNKNOWN_PART}:${key}`;
  if (key.includes('@g.us') && !key.includes(':group:')) return `agent:${agent}:whatsapp:group:${key.replace(/^whatsapp:/, '')}`;
  return `agent:${agent}:${key}`;
}

/**
 * The key under which a stored session of an older release, or of a gateway with other spellings, is found from now on. Undefined for a
 * key that names no session. Migrating twice is migrating once, and the result is canonical.
 */
export function migrateKey(config: RoutingConfig, key: Loose, agentId?: Loose): string | undefined {
  const agent = trimmed(agentId) === '' ? defaultAgentId(config) : normaliseAgentId(agentId);
  const migrated = migrateStoreKey({ key, agentId: agent, mainKey: config.session?.mainKey, scope: config.session?.scope });
  return migrated === '' ? undefined : canonicaliseKey(config, migrated, agent);
}
