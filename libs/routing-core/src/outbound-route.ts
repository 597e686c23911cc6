import { type Loose, normaliseChannel, trimmed } from './normalise.js';
import type { RoutingConfig } from './routing-config.js';
import { type PeerKind, peerSessionKey, threadSession } from './session-key.js';
import type { ResolvedTarget } from './target-grammar.js';
import { defaultGrammars, type TargetGrammarRegistry } from './target-registry.js';

export interface OutboundRouteInput {
  readonly channel: Loose;
  /** Who speaks. Bindings are not asked: whoever sends is the agent of the session. */
  readonly agentId: Loose;
  readonly accountId?: Loose;
  readonly target: Loose;
  readonly replyToId?: Loose;
  readonly threadId?: Loose;
  /** What a directory lookup said about the target. */
  readonly resolvedTarget?: ResolvedTarget | null | undefined;
}

/** The session into which an outbound message is mirrored, and the envelope that an inbound message from there would carry. */
export interface OutboundRoute {
  readonly sessionKey: string;
  /** Without the thread. */
  readonly baseSessionKey: string;
  readonly peer: { readonly kind: PeerKind; readonly id: string };
  readonly chatType: 'direct' | 'group' | 'channel';
  readonly from: string;
  readonly to: string;
  readonly threadId?: string | number;
}

/**
 * The session of an outbound message's target. Undefined when the target names nobody; throws INVALID_REQUEST with a hint for one that is
 * malformed. A channel without a grammar gets the fallback's rules.
 */
export function resolveOutboundRoute(
  config: RoutingConfig,
  input: OutboundRouteInput,
  registry: TargetGrammarRegistry = defaultGrammars,
): OutboundRoute | undefined {
  const target = trimmed(input.target);
  if (target === '') return undefined;
  const channel = normaliseChannel(input.channel);
  const { accountId, threadId, replyToId } = input;
  const parsed = registry.of(channel).parse({ target, channel, accountId, threadId, replyToId, resolvedTarget: input.resolvedTarget ?? undefined, config });
  if (!parsed) return undefined;
  const baseSessionKey = peerSessionKey({
    agentId: input.agentId,
    channel,
    accountId,
    peerKind: parsed.kind,
    peerId: parsed.peerId,
    dmScope: config.session?.dmScope,
    identityLinks: config.session?.identityLinks,
    dmKeyword: config.session?.dmKeyword,
  });
  const { sessionKey } = threadSession({ baseSessionKey, threadId: parsed.threadSuffix });
  return {
    sessionKey,
    baseSessionKey,
    peer: { kind: parsed.kind, id: parsed.peerId },
    chatType: parsed.kind === 'dm' ? 'direct' : (parsed.chatType ?? (parsed.kind === 'group' ? 'group' : 'channel')),
    from: parsed.from,
    to: parsed.to,
    ...(parsed.threadId === undefined ? {} : { threadId: parsed.threadId }),
  };
}
