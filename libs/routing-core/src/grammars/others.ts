import { normaliseThreadId } from '../normalise.js';
import { hasPrefix, malformedTarget, type TargetGrammar, type TargetRequest, withoutKind, withoutPrefix, withoutPrefixes } from '../target-grammar.js';

/** Zalo bots and personal accounts: a person unless the target says `group:`. */
const zalo = (channel: string, short: string, groupPrefixes: readonly string[], userPrefixes: readonly string[]): TargetGrammar => ({
  channel,
  parse({ target }) {
    const bare = withoutPrefix(target, `${channel}:`, short);
    const isGroup = groupPrefixes.some((prefix) => hasPrefix(bare, prefix));
    const id = isGroup ? withoutPrefix(bare, ...groupPrefixes) : withoutKind(withoutPrefix(bare, ...userPrefixes));
    if (id === '') return undefined;
    return isGroup
      ? { kind: 'group', peerId: id, from: `${channel}:group:${id}`, to: `${channel}:${id}` }
      : { kind: 'dm', peerId: id, from: `${channel}:${id}`, to: `${channel}:${id}` };
  },
  normalise: (target) => withoutPrefix(target, `${channel}:`, short) || undefined,
});

export const zaloGrammar = zalo('zalo', 'zl:', ['group:'], []);
export const zalouserGrammar = zalo('zalouser', 'zlu:', ['group:', 'g:'], ['u:']);

/** Nostr: keys of people, nothing else. */
export const nostrGrammar: TargetGrammar = {
  channel: 'nostr',
  parse({ target }) {
    const key = withoutPrefix(target, 'nostr:');
    return key === '' ? undefined : { kind: 'dm', peerId: key, from: `nostr:${key}`, to: `nostr:${key}` };
  },
  normalise: (target) => withoutPrefix(target, 'nostr:') || undefined,
};

const withTilde = (ship: string): string => (ship.startsWith('~') ? ship : `~${ship}`);

/** `host/channel` or `chat/host/channel` as a nest; undefined for anything else. */
function nest(path: string): string | undefined {
  const parts = path.split('/').map((part) => part.trim());
  if (parts.some((part) => part === '')) return undefined;
  if (parts.length === 3 && parts[0]?.toLowerCase() === 'chat') return `chat/${withTilde(parts[1] as string)}/${parts[2]}`;
  return parts.length === 2 ? `chat/${withTilde(parts[0] as string)}/${parts[1]}` : undefined;
}

function tlonTarget(target: string): { kind: 'dm' | 'group'; id: string } | undefined {
  const bare = withoutPrefix(target, 'tlon:');
  const group = (path: string): { kind: 'group'; id: string } | undefined => {
    const id = nest(path);
    return id === undefined ? undefined : { kind: 'group', id };
  };
  if (hasPrefix(bare, 'group:') || hasPrefix(bare, 'room:')) return group(withoutKind(bare));
  const ship = /^dm[:/](.*)$/is.exec(bare)?.[1]?.trim() ?? bare;
  if (ship === bare && bare.includes('/')) return group(bare);
  return ship === '' || ship.includes('/') ? undefined : { kind: 'dm', id: withTilde(ship) };
}

/** Tlon: ships are people and carry their `~`; `host/channel`, with `group:` or `chat/` or without, is a group. */
export const tlonGrammar: TargetGrammar = {
  channel: 'tlon',
  parse({ target }) {
    const parsed = tlonTarget(target);
    if (!parsed) return undefined;
    const { kind, id } = parsed;
    return { kind, peerId: id, from: kind === 'group' ? `tlon:group:${id}` : `tlon:${id}`, to: `tlon:${id}` };
  },
  normalise(target) {
    const bare = withoutPrefix(target, 'tlon:');
    // A bare path may be a group of any kind; only what says so is completed.
    if (bare.includes('/') && !/^(?:group|room|dm):/i.test(bare)) return bare;
    return tlonTarget(bare)?.id;
  },
};

/** Google Chat: the fallback's rules; targets are resource names. */
export const googlechatGrammar: TargetGrammar = {
  channel: 'googlechat',
  parse: (request) => fallbackGrammar.parse(request),
  normalise: (target) => withoutPrefixes(target, 'googlechat:', 'google-chat:', 'gchat:') || undefined,
};

/**
 * Signed webhooks: their callers name the kind themselves, so what the target says counts before any lookup. A bare id may be a person or a
 * room; guessing would put the message of a room into somebody's session.
 */
export const webhookGrammar: TargetGrammar = {
  channel: 'webhook',
  parse({ target, threadId, resolvedTarget }) {
    const bare = withoutPrefix(target, 'webhook:');
    const said = /^(group|channel|user|dm):/i.exec(bare)?.[1]?.toLowerCase() ?? resolvedTarget?.kind;
    const id = withoutKind(bare);
    if (id === '') return undefined;
    if (said === undefined) throw malformedTarget('webhook', target, 'The target does not say what it is.', 'Write user:<id>, group:<id> or channel:<id>.');
    const kind = said === 'group' || said === 'channel' ? said : 'dm';
    const named = normaliseThreadId(threadId);
    const thread = named === undefined ? {} : { threadId: named, threadSuffix: named };
    return kind === 'dm'
      ? { kind, peerId: id, from: `webhook:${id}`, to: `user:${id}`, ...thread }
      : { kind, peerId: id, from: `webhook:${kind}:${id}`, to: `${kind}:${id}`, ...thread };
  },
};

/** Gateways behind ours: each session there is one conversation between two, and its key is the whole id, colons and words included. */
export const upstreamGrammar: TargetGrammar = {
  channel: 'upstream',
  parse({ target }) {
    const id = withoutPrefix(withoutPrefix(target, 'upstream:'), 'user:', 'dm:');
    return id === '' ? undefined : { kind: 'dm', peerId: id, from: `upstream:${id}`, to: `user:${id}` };
  },
};

/** Every channel that registers nothing: a person, unless a lookup says group or channel. */
export const fallbackGrammar: TargetGrammar = {
  channel: '*',
  parse({ target, channel, resolvedTarget }: TargetRequest) {
    const id = withoutKind(withoutPrefix(target, `${channel}:`));
    if (id === '') return undefined;
    const kind = resolvedTarget?.kind === 'group' ? 'group' : resolvedTarget?.kind === 'channel' ? 'channel' : 'dm';
    return kind === 'dm'
      ? { kind, peerId: id, from: `${channel}:${id}`, to: `user:${id}` }
      : { kind, peerId: id, from: `${channel}:${kind}:${id}`, to: `channel:${id}` };
  },
};
