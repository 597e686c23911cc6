import { type Loose, lowered, normaliseAgentId } from './normalise.js';
import { splitAgentKey, splitThread } from './parse-session-key.js';

/** What a session key says, part by part. Everything is lower case; optional parts are absent, never empty. */
export type SessionKeyParts =
  | { readonly kind: 'global' | 'unknown' }
  | { readonly kind: 'main'; readonly agentId: string; readonly mainKey: string; readonly threadId?: string }
  | {
      readonly kind: 'dm';
      readonly agentId: string;
      /** Absent where direct messages of one person share a session across channels. */
      readonly channel?: string;
      /** Only together with a channel. */
      readonly accountId?: string;
      readonly peerId: string;
      readonly threadId?: string;
    }
  | {
      readonly kind: 'group' | 'channel';
      readonly agentId: string;
      readonly channel: string;
      readonly peerId: string;
      /** Forum topic; part of the peer, not a thread. */
      readonly topicId?: string;
      readonly threadId?: string;
    }
  | { readonly kind: 'subagent' | 'acp' | 'voice'; readonly agentId: string; readonly id: string }
  | { readonly kind: 'cron'; readonly agentId: string; readonly id: string; readonly runId?: string }
  /** Absent agent: the request form, which is no stored key. */
  | { readonly kind: 'hook' | 'node'; readonly agentId?: string; readonly id: string }
  /** A key that follows no format of ours. */
  | { readonly kind: 'other'; readonly agentId?: string; readonly rest: string; readonly threadId?: string };

const RESERVED_KINDS = new Set(['subagent', 'cron', 'acp', 'hook', 'voice']);
/** Words after which `dm` or `direct` is part of an id. */
const ID_FOLLOWS = new Set(['group', 'channel', 'thread', 'topic', 'dm', 'direct']);
const isDmWord = (segment: string | undefined): boolean => segment === 'dm' || segment === 'direct';

/** Where the word for direct messages stands in `dm:x`, `<channel>:dm:x` or `<channel>:<account>:dm:x`; -1 in every other key. */
export function dmWordAt(segments: readonly string[]): number {
  const [first = '', second = '', third] = segments;
  const at = isDmWord(first) ? 0 : RESERVED_KINDS.has(first) ? -1 : isDmWord(second) ? 1 : !ID_FOLLOWS.has(second) && isDmWord(third) ? 2 : -1;
  return segments.length > at + 1 ? at : -1;
}

/** Reads a key in any case; undefined for a blank one and for one that starts like an agent's and names no session. */
export function readSessionKey(sessionKey: Loose): SessionKeyParts | undefined {
  const key = lowered(sessionKey);
  if (key === '') return undefined;
  if (key === 'global' || key === 'unknown') return { kind: key };
  const parsed = splitAgentKey(key);
  if (parsed) return readRest(parsed.rest, normaliseAgentId(parsed.agentId));
  return key === 'agent' || key.startsWith('agent:') ? undefined : readBare(key);
}

function readBare(key: string): SessionKeyParts {
  return serviceKey(key) ?? { kind: 'other', rest: key };
}

function serviceKey(rest: string): { kind: 'hook' | 'node'; id: string } | undefined {
  const [, word, id] = /^(hook:|node-)(.+)$/s.exec(rest) ?? [];
  return word === undefined || id === undefined ? undefined : { kind: word === 'hook:' ? 'hook' : 'node', id };
}

function readRest(rest: string, agentId: string): SessionKeyParts {
  const segments = rest.split(':');
  const [first = '', second] = segments;
  if ((first === 'subagent' || first === 'acp' || first === 'voice') && second !== undefined) return { kind: first, agentId, id: rest.slice(first.length + 1) };
  if (first === 'cron' && second !== undefined) return readCron(rest.slice('cron:'.length), agentId);
  const service = serviceKey(rest);
  if (service) return { ...service, agentId };
  const { baseSessionKey: base, threadId } = splitThread(rest);
  const thread = threadId === undefined ? {} : { threadId };
  return { ...readConversation(base, agentId), ...thread } as SessionKeyParts;
}

function readConversation(base: string, agentId: string): SessionKeyParts {
  const segments = base.split(':');
  const at = dmWordAt(segments);
  if (at >= 0) {
    const [channel, accountId] = segments.slice(0, at);
    const peerId = segments.slice(at + 1).join(':');
    return { kind: 'dm', agentId, ...(channel === undefined ? {} : { channel }), ...(accountId === undefined ? {} : { accountId }), peerId };
  }
  const [channel = '', kind, ...id] = segments;
  if ((kind === 'group' || kind === 'channel') && id.length > 0) {
    const [, chat, topicId] = /^(.+):topic:([^:]+)$/s.exec(id.join(':')) ?? [];
    return chat === undefined || topicId === undefined ? { kind, agentId, channel, peerId: id.join(':') } : { kind, agentId, channel, peerId: chat, topicId };
  }
  return segments.length === 1 ? { kind: 'main', agentId, mainKey: base } : { kind: 'other', agentId, rest: base };
}

function readCron(text: string, agentId: string): SessionKeyParts {
  const [, id, runId] = /^(.+?):run:(.+)$/s.exec(text) ?? [];
  return id === undefined || runId === undefined ? { kind: 'cron', agentId, id: text } : { kind: 'cron', agentId, id, runId };
}

/** The key that says these parts; the other way round of {@link readSessionKey}. */
export function writeSessionKey(parts: SessionKeyParts, dmKeyword: 'dm' | 'direct' = 'dm'): string {
  switch (parts.kind) {
    case 'global':
    case 'unknown':
      return parts.kind;
    case 'main':
      return `agent:${parts.agentId}:${parts.mainKey}${suffix('thread', parts.threadId)}`;
    case 'dm': {
      const place = [parts.channel, parts.accountId].filter((part) => part !== undefined).map((part) => `${part}:`);
      return `agent:${parts.agentId}:${place.join('')}${dmKeyword}:${parts.peerId}${suffix('thread', parts.threadId)}`;
    }
    case 'group':
    case 'channel':
      return `agent:${parts.agentId}:${parts.channel}:${parts.kind}:${parts.peerId}${suffix('topic', parts.topicId)}${suffix('thread', parts.threadId)}`;
    case 'cron':
      return `agent:${parts.agentId}:cron:${parts.id}${suffix('run', parts.runId)}`;
    case 'hook':
    case 'node':
      return `${owner(parts.agentId)}${parts.kind === 'hook' ? 'hook:' : 'node-'}${parts.id}`;
    case 'other':
      return `${owner(parts.agentId)}${parts.rest}${suffix('thread', parts.threadId)}`;
    default:
      return `agent:${parts.agentId}:${parts.kind}:${parts.id}`;
  }
}

const suffix = (word: string, value: string | undefined): string => (value === undefined ? '' : `:${word}:${value}`);
const owner = (agentId: string | undefined): string => (agentId === undefined ? '' : `agent:${agentId}:`);
