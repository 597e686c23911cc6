export { boundAccountIds, channelAccountBindings, defaultAgentAccountId, preferredAccountId } from './accounts.js';
export { defaultAgentId, isKnownAgent, selectAgent } from './agents.js';
export type { BindingProblem, BindingProblemCode } from './binding.js';
export { canonicaliseKey, canonicalKey, canonicalMainAlias, GLOBAL_KEY, migrateKey, migrateStoreKey, tenantMainKey } from './canonical-key.js';
// The name under which services came to know it.
export { canonicaliseKey as sessionKeyFor } from './canonical-key.js';
export {
  breakerStep,
  CIRCUIT_EVENT_NAMES,
  type CircuitEvent,
  type CircuitOptions,
  type CircuitState,
  type CircuitStep,
  type CircuitTransition,
  CLOSED_CIRCUIT,
  nextAttemptAt,
} from './circuit-breaker.js';
export { explainRoute, type RouteExplanation, type TierExplanation } from './explain-route.js';
export { classifyFailure, type Failure, FailoverError, isTimeoutError } from './failure.js';
export { classifyMessage } from './failure-patterns.js';
export { FAILURE_POLICIES, type FailurePolicy, type FailureReason, isFailureReason, statusForReason } from './failure-reason.js';
export { planSendMirror, type SendMirror, type SendRequest } from './gateway-send.js';
export { parseSlackTarget, type SlackTarget } from './grammars/slack.js';
export {
  type HealthEvent,
  type HealthOptions,
  type HealthSlot,
  type HealthState,
  type HealthSummary,
  healthScore,
  healthStep,
  healthSummary,
  UNKNOWN_HEALTH,
} from './health-window.js';
export { contextSessionKey, type GroupSession, groupSession, type InboundContext, KNOWN_CHANNELS } from './inbound-context.js';
export { linkedIdentity } from './identity-links.js';
export { readSessionKey, type SessionKeyParts, writeSessionKey } from './key-parts.js';
export { mirrorText } from './mirror-text.js';
export {
  isValidAgentId,
  type Loose,
  normaliseAccountId,
  normaliseAgentId,
  normaliseChannel,
  normaliseMainKey,
  normaliseThreadId,
  resolveChannelAlias,
} from './normalise.js';
export { type NodeSender, NodeSubscriptions } from './node-subscriptions.js';
export { type AccountStanding, type OrderOptions, orderAccounts, type RankedAccount } from './order-accounts.js';
export { type OutboundRoute, type OutboundRouteInput, resolveOutboundRoute } from './outbound-route.js';
export {
  type AgentKey,
  agentIdOf,
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
export { type HttpAnswer, offerToPlugins, type PluginHandler, type PluginRoute } from './plugin-http.js';
export { type CompiledRoutes, compileRoutes, type MatchedBy, type Route, type RouteInput, resolveRoute } from './route.js';
export type {
  AgentEntry,
  BindingEntry,
  BindingMatch,
  DmScope,
  IdentityLinks,
  PeerMatch,
  RoutingConfig,
  SessionSettings,
} from './routing-config.js';
export { SeenTracker, type SeenTrackerOptions } from './seen-tracker.js';
export { conversationLabel, type EntryContext, type EntryOrigin, type EntryPatch, sessionEntryPatch } from './session-entry.js';
export {
  acpSessionKey,
  cronSessionKey,
  groupHistoryKey,
  hookSessionKey,
  isVoiceChannel,
  mainSessionKey,
  nodeSessionKey,
  normalisePeerKind,
  type PeerKind,
  type PeerSessionInput,
  peerSessionKey,
  phoneDigits,
  subagentSessionKey,
  type ThreadSession,
  threadSession,
  voiceSessionKey,
} from './session-key.js';
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
export { type SlackToolContext, slackAutoThread } from './slack-auto-thread.js';
export { malformedTarget, type ParsedTarget, type ResolvedTarget, type TargetGrammar, type TargetRequest } from './target-grammar.js';
export { defaultGrammars, normaliseTarget, TargetGrammarRegistry } from './target-registry.js';
export { isTransientFailure, TRANSIENT_CODES } from './transient-failure.js';
