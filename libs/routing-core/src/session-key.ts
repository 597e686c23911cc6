import { compileLinks, type LinkIndex, linkedName } from './identity-links.js';
import { type Loose, lowered, normaliseAccountId, normaliseAgentId, normaliseChannel, normaliseMainKey, normaliseThreadId, UNKNOWN_PART } from './normalise.js';
import type { IdentityLinks, SessionSettings } from './routing-config.js';

/** How people write the kind of a conversation; `direct` is read as `dm`. */
export type PeerKind = 'dm' | 'group' | 'channel';

/** `agent:<agentId>:<mainKey>` */
export function mainSessionKey(agentId: Loose, mainKey?: Loose): string {
  return `agent:${normaliseAgentId(agentId)}:${normaliseMainKey(mainKey)}`;
}

/** Reads a peer kind in any spelling; absent means a direct message, an unknown word is kept for group-like keys. */
export function normalisePeerKind(kind: Loose): string {
  if (kind === 'dm' || kind === 'group' || kind === 'channel') return kind;
  const text = lowered(kind);
  return text === '' || text === 'direct' ? 'dm' : text;
}

/** How direct messages share sessions, prepared once per configuration. */
export interface DmRules {
  readonly scope: string;
  readonly links: LinkIndex;
  /** The word in keys: `dm`, or `direct` where a mixed fleet needs it. */
  readonly keyword: 'dm' | 'direct';
}

export function dmRules(session: SessionSettings | null | undefined): DmRules {
  return {
    scope: session?.dmScope ?? 'main',
    links: compileLinks(session?.identityLinks),
    keyword: session?.dmKeyword === 'direct' ? 'direct' : 'dm',
  };
}

const VOICE_CHANNELS = new Set(['voice', 'voice-call']);
/** True for channels of phone calls, whose conversations are named by the number alone. */
export const isVoiceChannel = (channel: Loose): boolean => VOICE_CHANNELS.has(lowered(channel));
/** The digits of a phone number however it is written; empty when there are none. */
export const phoneDigits = (value: Loose): string => lowered(value).replace(/\D+/g, '');

/** A conversation with every part normalised already; `kind` is `dm` or the word of a group-like conversation. */
export interface NormalisedPeer {
  /** `agent:<agentId>` */
  readonly agentPrefix: string;
  readonly mainKey: string;
  readonly channel: string;
  readonly accountId: string;
  readonly kind: string;
  /** Lower case; empty when there is none. */
  readonly peerId: string;
}

/** The session of a conversation, from parts that are normalised already: the inner half of {@link peerSessionKey}. */
export function normalisedPeerKey(peer: NormalisedPeer, rules: DmRules): string {
  const { agentPrefix, channel, kind, peerId } = peer;
  if (kind !== 'dm') return `${agentPrefix}:${channel}:${kind}:${peerId === '' ? UNKNOWN_PART : peerId}`;
  if (peerId !== '') {
    if (VOICE_CHANNELS.has(channel)) {
      const digits = phoneDigits(peerId);
      if (digits !== '') return `${agentPrefix}:voice:${digits}`;
    }
    if (rules.scope === 'main') return peer.mainKey;
    const id = linkedName(rules.links, channel, peerId)?.toLowerCase() ?? peerId;
    if (rules.scope === 'per-peer') return `${agentPrefix}:${rules.keyword}:${id}`;
    if (rules.scope === 'per-channel-peer') return `${agentPrefix}:${channel}:${rules.keyword}:${id}`;
    if (rules.scope === 'per-account-channel-peer') return `${agentPrefix}:${channel}:${peer.accountId}:${rules.keyword}:${id}`;
  }
  return peer.mainKey;
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
  readonly dmKeyword?: string | null | undefined;
}

/**
 * The session of a conversation: direct messages share as `dmScope` says, groups and channels are sessions of their own, a phone call
 * is `agent:<id>:voice:<digits>` under every scope.
 */
export function peerSessionKey(input: PeerSessionInput): string {
  return normalisedPeerKey(
    {
      agentPrefix: `agent:${normaliseAgentId(input.agentId)}`,
      mainKey: mainSessionKey(input.agentId, input.mainKey),
      channel: normaliseChannel(input.channel),
      accountId: normaliseAccountId(input.accountId),
      kind: normalisePeerKind(input.peerKind),
      peerId: lowered(input.peerId),
    },
    dmRules(input),
  );
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
  const thread = normaliseThreadId(input.threadId)?.toLowerCase();
  if (thread === undefined) return { sessionKey: input.baseSessionKey };
  const sessionKey = input.useSuffix === false ? input.baseSessionKey : `${input.baseSessionKey}:thread:${thread}`;
  return input.parentSessionKey ? { sessionKey, parentSessionKey: input.parentSessionKey } : { sessionKey };
}

/** `agent:<agentId>:subagent:<id>` */
export const subagentSessionKey = (agentId: Loose, id: Loose): string => agentPart(agentId, 'subagent', id);
/** `agent:<agentId>:acp:<sessionId>` */
export const acpSessionKey = (agentId: Loose, sessionId: Loose): string => agentPart(agentId, 'acp', sessionId);
/** `agent:<agentId>:cron:<jobId>[:run:<runId>]` */
export const cronSessionKey = (agentId: Loose, jobId: Loose, runId?: Loose): string =>
  `${agentPart(agentId, 'cron', jobId)}${lowered(runId) === '' ? '' : `:run:${lowered(runId)}`}`;
/** `agent:<agentId>:voice:<digits>`, or the agent's main session when the number has no digit. */
export const voiceSessionKey = (agentId: Loose, phone: Loose): string =>
  phoneDigits(phone) === '' ? mainSessionKey(agentId) : agentPart(agentId, 'voice', phoneDigits(phone));
/** `hook:<id>`, or the key that the hook names itself. */
export const hookSessionKey = (id: Loose, namedKey?: Loose): string => lowered(namedKey) || `hook:${lowered(id) || UNKNOWN_PART}`;
/** `node-<nodeId>` */
export const nodeSessionKey = (nodeId: Loose): string => `node-${lowered(nodeId) || UNKNOWN_PART}`;

const agentPart = (agentId: Loose, word: string, id: Loose): string => `agent:${normaliseAgentId(agentId)}:${word}:${lowered(id) || UNKNOWN_PART}`;
