import { selectAgent } from './agents.js';
import { type Loose, lowered, trimmed } from './normalise.js';
import { type OutboundRoute, resolveOutboundRoute } from './outbound-route.js';
import { parseAgentKey } from './parse-session-key.js';
import type { RoutingConfig } from './routing-config.js';
import type { ResolvedTarget } from './target-grammar.js';
import { defaultGrammars, type TargetGrammarRegistry } from './target-registry.js';

export interface SendRequest {
  readonly channel: Loose;
  /** The resolved target. */
  readonly to: Loose;
  readonly accountId?: Loose;
  /** Mirror here instead of into the target's own session. */
  readonly sessionKey?: Loose;
  readonly agentId?: Loose;
  readonly threadId?: Loose;
  readonly replyToId?: Loose;
  readonly resolvedTarget?: ResolvedTarget | null | undefined;
}

/** Into which session a send is mirrored, and the envelope of the entry that must exist there. */
export interface SendMirror {
  readonly sessionKey: string;
  readonly agentId: string;
  /** Absent when the target has no route: then nothing is known to write into an entry. */
  readonly route?: OutboundRoute;
}

/**
 * Where a send through the gateway is mirrored: under the key that the caller names (lower case), else under the target's own.
 * The agent is the one named, else the key's, else the default one. Undefined when neither key nor target says where; the send goes on.
 * Throws INVALID_REQUEST for a malformed target.
 */
export function planSendMirror(config: RoutingConfig, request: SendRequest, registry: TargetGrammarRegistry = defaultGrammars): SendMirror | undefined {
  const named = lowered(request.sessionKey);
  const agentId = trimmed(request.agentId) === '' ? selectAgent(config, parseAgentKey(named)?.agentId) : selectAgent(config, request.agentId);
  const route = resolveOutboundRoute(config, { ...request, agentId, target: request.to }, registry);
  if (named !== '') return { sessionKey: named, agentId, ...(route ? { route } : {}) };
  return route && { sessionKey: route.sessionKey, agentId, route };
}
