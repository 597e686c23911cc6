import { normaliseThreadId } from '../normalise.js';
import { hasPrefix, type TargetGrammar, withoutKind, withoutPrefix } from '../target-grammar.js';

/** Matrix: `@user` and `user:` are people, everything else rooms; both are addressed as rooms. Threads have no session of their own. */
export const matrixGrammar: TargetGrammar = {
  channel: 'matrix',
  parse({ target, resolvedTarget }) {
    const bare = withoutPrefix(target, 'matrix:');
    const isUser = resolvedTarget?.kind === 'user' || bare.startsWith('@') || hasPrefix(bare, 'user:');
    const id = withoutKind(bare);
    if (id === '') return undefined;
    return isUser
      ? { kind: 'dm', peerId: id, from: `matrix:${id}`, to: `room:${id}` }
      : { kind: 'channel', peerId: id, from: `matrix:channel:${id}`, to: `room:${id}` };
  },
  normalise: (target) => withoutPrefix(target, 'matrix:') || undefined,
};

/** Microsoft Teams: `user:` is a person, `…@thread.tacv2` a channel, every other conversation a group. What follows a `;` is no part of the id. */
export const msteamsGrammar: TargetGrammar = {
  channel: 'msteams',
  parse({ target }) {
    const bare = withoutPrefix(target, 'msteams:', 'teams:');
    const id = withoutKind(bare).split(';')[0]?.trim() ?? '';
    if (id === '') return undefined;
    if (hasPrefix(bare, 'user:')) return { kind: 'dm', peerId: id, from: `msteams:${id}`, to: `user:${id}` };
    const kind = /@thread\.tacv2/i.test(id) ? 'channel' : 'group';
    return { kind, peerId: id, from: `msteams:${kind}:${id}`, to: `conversation:${id}` };
  },
  normalise(target) {
    const bare = withoutPrefix(target, 'msteams:', 'teams:');
    for (const kind of ['user', 'conversation']) {
      if (!hasPrefix(bare, `${kind}:`)) continue;
      const id = bare.slice(kind.length + 1).trim();
      return id === '' ? undefined : `${kind}:${id}`;
    }
    return bare || undefined;
  },
};

/** Mattermost: `@name` and `user:` are people, everything else channels. A reply's root decides the thread before the thread id does. */
export const mattermostGrammar: TargetGrammar = {
  channel: 'mattermost',
  parse({ target, replyToId, threadId, resolvedTarget }) {
    const bare = withoutPrefix(target, 'mattermost:');
    const isUser = bare.startsWith('@') || hasPrefix(bare, 'user:') || resolvedTarget?.kind === 'user';
    const id = isUser ? withoutKind(bare).replace(/^@/, '').trim() : withoutKind(bare);
    if (id === '') return undefined;
    const thread = normaliseThreadId(replyToId ?? threadId);
    const threads = thread === undefined ? {} : { threadId: thread, threadSuffix: thread };
    return isUser
      ? { kind: 'dm', peerId: id, from: `mattermost:${id}`, to: `user:${id}`, ...threads }
      : { kind: 'channel', peerId: id, from: `mattermost:channel:${id}`, to: `channel:${id}`, ...threads };
  },
  normalise(target) {
    const written = (prefix: string, id: string): string | undefined => (id === '' ? undefined : `${prefix}${id}`);
    if (hasPrefix(target, 'channel:') || hasPrefix(target, 'group:')) return written('channel:', withoutKind(target));
    if (hasPrefix(target, 'user:') || hasPrefix(target, 'mattermost:')) return written('user:', withoutPrefix(target, 'user:', 'mattermost:'));
    if (target.startsWith('@')) return written('@', target.slice(1).trim());
    return written('channel:', withoutPrefix(target, '#'));
  },
};

const nextcloudToken = (target: string): string => withoutPrefix(withoutPrefix(target, 'nextcloud-talk:', 'nc-talk:', 'nc:'), 'room:');

/** Nextcloud Talk: every conversation is a room, also with one person. */
export const nextcloudTalkGrammar: TargetGrammar = {
  channel: 'nextcloud-talk',
  parse({ target }) {
    const token = nextcloudToken(target);
    return token === '' ? undefined : { kind: 'group', peerId: token, from: `nextcloud-talk:room:${token}`, to: `nextcloud-talk:${token}` };
  },
  normalise: (target) => (nextcloudToken(target) === '' ? undefined : `nextcloud-talk:${nextcloudToken(target)}`.toLowerCase()),
};

/** Feishu: `group:`, `chat:` and `channel:` are groups, everything else people; addresses are bare ids. */
export const feishuGrammar: TargetGrammar = {
  channel: 'feishu',
  parse({ target }) {
    const bare = withoutPrefix(target, 'feishu:', 'lark:');
    const isGroup = /^(?:group|chat|channel):/i.test(bare);
    const id = isGroup ? withoutPrefix(bare, 'group:', 'chat:', 'channel:') : withoutKind(bare);
    if (id === '') return undefined;
    return isGroup ? { kind: 'group', peerId: id, from: `feishu:group:${id}`, to: id } : { kind: 'dm', peerId: id, from: `feishu:${id}`, to: id };
  },
  normalise: (target) => withoutPrefix(target, 'feishu:', 'lark:') || undefined,
};
