import { linkedIdentity } from './identity-links.js';
import { type Loose, lowered, normaliseAccountId, normaliseAgentId, normaliseChannel, normaliseMainKey, UNKNOWN_PART } from './normalise.js';
import type { IdentityLinks } from './routing-config.js';

/** How people write the kind of a conversation; `direct` is read as `dm`. */
export type PeerKind = 'dm' | 'group' | 'channel';

/** `agent:<agentId>:<mainKey>` */
export function mainSessionKey(agentId: Loose, mainKey?: Loose): string {
  return `agent:${normaliseAgentId(agentId)}:${normaliseMainKey(mainKey)}`;
}

/** Reads a peer kind in any spelling; absent means a direct message, an unknown word is kept for group-like keys. */
export function normalisePeerKind(kind: Loose): string {
  const text = lowered(kind);
  return text === '' || text === 'direct' ? 'dm' : text;
}

export interface PeerSessionInput {
  readonly agentId: Loose;
  readonly mainKey?: Loose;
  readonly channel: Loose;
  readonly accountId?: Loose;
  readonly peerKind?: Loose;
  readonly peerId?: Loose;
  readonly dmScope?: string | null | undefined;
  readonly identityLinks?: IdentityLinks | null | undefined;
}

/** The session of a conversation: direct messages share as `dmScope` says, groups and channels are sessions of their own. */
export function peerSessionKey(input: PeerSessionInput): string {
  const agent = `agent:${normaliseAgentId(input.agentId)}`;
  const channel = normaliseChannel(input.channel);
  const kind = normalisePeerKind(input.peerKind);
  if (kind !== 'dm') return `${agent}:${channel}:${kind}:${lowered(input.peerId) || UNKNOWN_PART}`;
  const scope = input.dmScope ?? 'main';
  const linked = scope === 'main' ? undefined : linkedIdentity(input.identityLinks, input.channel, input.peerId);
  const peer = lowered(linked ?? input.peerId);
  if (peer !== '') {
    if (scope === 'per-peer') return `${agent}:dm:${peer}`;
    if (scope === 'per-channel-peer') return `${agent}:${channel}:dm:${peer}`;
    if (scope === 'per-account-channel-peer') return `${agent}:${channel}:${normaliseAccountId(input.accountId)}:dm:${peer}`;
  }
  return mainSessionKey(input.agentId, input.mainKey);
}

/** Key of the in-memory chat history of a group. Not a session key. */
export function groupHistoryKey(input: { channel: Loose; accountId?: Loose; peerKind: Loose; peerId?: Loose }): string {
  const kind = normalisePeerKind(input.peerKind);
  return `${normaliseChannel(input.channel)}:${normaliseAccountId(input.accountId)}:${kind}:${lowered(input.peerId) || UNKNOWN_PART}`;
}

export interface ThreadSession {
  readonly sessionKey: string;
  readonly parentSessionKey?: string;
}

/**
 * The session of a thread inside a conversation. Without a thread it is the conversation itself and has no parent; with
 * `useSuffix: false` the thread shares the conversation's session. The base is taken as it is.
 */
export function threadSession(input: {
  baseSessionKey: string;
  threadId?: Loose;
  parentSessionKey?: string | null | undefined;
  useSuffix?: boolean | null | undefined;
}): ThreadSession {
  const thread = lowered(input.threadId);
  if (thread === '') return { sessionKey: input.baseSessionKey };
  const sessionKey = input.useSuffix === false ? input.baseSessionKey : `${input.baseSessionKey}:thread:${thread}`;
  return input.parentSessionKey ? { sessionKey, parentSessionKey: input.parentSessionKey } : { sessionKey };
}
