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

/** Builds the keys of one agent's conversations on one channel, with everything prepared that they share. All parts are normalised already. */
export class ConversationKeys {
  private readonly group: string;
  private readonly channelKind: string;
  /** Undefined where direct messages share the main session, or need the account. */
  private readonly dm: string | undefined;
  private readonly isVoice: boolean;

  constructor(
    /** `agent:<agentId>` */
    private readonly prefix: string,
    readonly mainKey: string,
    private readonly channel: string,
    private readonly rules: DmRules,
  ) {
    this.group = `${prefix}:${channel}:group:`;
    this.channelKind = `${prefix}:${channel}:channel:`;
    if (rules.scope === 'per-peer') this.dm = `${prefix}:${rules.keyword}:`;
    else if (rules.scope === 'per-channel-peer') this.dm = `${prefix}:${channel}:${rules.keyword}:`;
    this.isVoice = VOICE_CHANNELS.has(channel);
  }

  /** `kind` is `dm` or the word of a group-like conversation; `peerId` is lower case, empty when there is none. */
  of(kind: string, peerId: string, accountId: string): string {
    if (kind === 'dm') return this.direct(peerId, accountId);
    const id = peerId === '' ? UNKNOWN_PART : peerId;
    if (kind === 'group') return this.group + id;
    return kind === 'channel' ? this.channelKind + id : `${this.prefix}:${this.channel}:${kind}:${id}`;
  }

  private direct(peerId: string, accountId: string): string {
    if (peerId === '') return this.mainKey;
    const { scope, keyword, links } = this.rules;
    if (this.isVoice) {
      const digits = phoneDigits(peerId);
      if (digits !== '') return `${this.prefix}:voice:${digits}`;
    }
    if (this.dm === undefined && scope !== 'per-account-channel-peer') return this.mainKey;
    const id = linkedName(links, this.channel, peerId)?.toLowerCase() ?? peerId;
    return this.dm === undefined ? `${this.prefix}:${this.channel}:${accountId}:${keyword}:${id}` : this.dm + id;
  }
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
  const prefix = `agent:${normaliseAgentId(input.agentId)}`;
  const keys = new ConversationKeys(prefix, mainSessionKey(input.agentId, input.mainKey), normaliseChannel(input.channel), dmRules(input));
  return keys.of(normalisePeerKind(input.peerKind), lowered(input.peerId), normaliseAccountId(input.accountId));
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
