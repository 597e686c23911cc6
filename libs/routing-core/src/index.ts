export { defaultAgentId, isKnownAgent, selectAgent } from './agents.js';
export { canonicalKey, canonicalMainAlias, GLOBAL_KEY, migrateStoreKey, sessionKeyFor, tenantMainKey } from './canonical-key.js';
export { linkedIdentity } from './identity-links.js';
export { isValidAgentId, normaliseAccountId, normaliseAgentId, normaliseChannel, normaliseMainKey } from './normalise.js';
export {
  type AgentKey,
  agentIdOfKey,
  isAcpKey,
  isCronKey,
  isSubagentKey,
  type KeyShape,
  keyShape,
  parseAgentKey,
  requestKey,
  splitThread,
  storeKey,
  subagentDepth,
  threadParent,
} from './parse-session-key.js';
export { type CompiledRoutes, compileRoutes, type MatchedBy, type Route, type RouteInput, resolveRoute } from './route.js';
export type { AgentEntry, BindingEntry, DmScope, IdentityLinks, RoutingConfig, SessionSettings } from './routing-config.js';
export { groupHistoryKey, mainSessionKey, normalisePeerKind, type PeerKind, peerSessionKey, type ThreadSession, threadSession } from './session-key.js';
export {
  chatTypeOfKey,
  type GroupKey,
  looksLikeSessionKey,
  parseGroupKey,
  type SessionKind,
  sessionKind,
  type ToolSessionKind,
  toolSessionKind,
} from './session-kind.js';
