import { type Loose, normaliseThreadId } from '../normalise.js';
import { type TargetGrammar, withoutPrefix, withoutPrefixes } from '../target-grammar.js';

/** `id`, `id:topic:N` or `id:N`. */
function splitTopic(target: string): { id: string; topic?: number } {
  const [, id, topic] = /^(.+?):topic:(\d+)$/i.exec(target) ?? /^(-?\d+|@\w+):(\d+)$/.exec(target) ?? [];
  return id === undefined ? { id: target } : { id, topic: Number(topic) };
}

/** The topic that a thread id names: `N`, `<chat>:N`, `<chat>:topic:N`, or the number it starts with. Never NaN. */
function topicOf(threadId: Loose): number | undefined {
  const text = normaliseThreadId(threadId);
  if (text === undefined) return undefined;
  const number = Number.parseInt(/^-?\d+:(?:topic:)?(\d+)$/i.exec(text)?.[1] ?? text, 10);
  return Number.isSafeInteger(number) ? number : undefined;
}

/**
 * Telegram: negative numbers are groups, other numbers people, names people unless a lookup says otherwise. A topic is part of a group's
 * peer id and a thread of a direct chat; topic 0 is none.
 */
export const telegramGrammar: TargetGrammar = {
  channel: 'telegram',
  parse({ target, threadId, resolvedTarget }) {
    const bare = withoutPrefix(withoutPrefixes(target, 'telegram:', 'tg:'), 'group:');
    if (bare === '') return undefined;
    const { id, topic } = splitTopic(bare);
    const thread = (topic ?? topicOf(threadId)) || undefined;
    const isGroup = /^-?\d+$/.test(id) ? id.startsWith('-') : resolvedTarget !== undefined && resolvedTarget.kind !== 'user';
    const to = `telegram:${id}`;
    if (isGroup) {
      const peerId = thread === undefined ? id : `${id}:topic:${thread}`;
      return { kind: 'group', peerId, from: `telegram:group:${peerId}`, to, ...(thread === undefined ? {} : { threadId: thread }) };
    }
    if (thread === undefined) return { kind: 'dm', peerId: id, from: to, to };
    return { kind: 'dm', peerId: id, from: `${to}:topic:${thread}`, to, threadId: thread, threadSuffix: String(thread) };
  },
  normalise(target) {
    const bare = withoutPrefixes(target, 'telegram:', 'tg:');
    const name = /^(?:https?:\/\/)?t\.me\/([a-z0-9_]+)$/i.exec(bare)?.[1];
    return bare === '' ? undefined : `telegram:${name === undefined ? bare : `@${name}`}`.toLowerCase();
  },
};
