import { normaliseThreadId } from '../normalise.js';
import { malformedTarget, type TargetGrammar } from '../target-grammar.js';

interface DiscordTarget {
  readonly kind: 'user' | 'channel';
  readonly id: string;
}

function parseDiscordTarget(raw: string): DiscordTarget | undefined {
  const target = raw.trim();
  const mention = /^<@!?(\d+)>$/.exec(target)?.[1];
  if (mention !== undefined) return { kind: 'user', id: mention };
  for (const prefix of ['user:', 'discord:']) if (target.startsWith(prefix)) return named('user', target.slice(prefix.length).trim());
  if (target.startsWith('channel:')) return named('channel', target.slice('channel:'.length).trim());
  if (target.startsWith('@')) {
    const id = target.slice(1).trim();
    if (/^\d+$/.test(id)) return { kind: 'user', id };
    throw malformedTarget('discord', raw, 'A Discord name is no user id.', 'Use user:<id> or a <@id> mention.');
  }
  return named('channel', target);
}

const named = (kind: DiscordTarget['kind'], id: string): DiscordTarget | undefined => (id === '' ? undefined : { kind, id });
const isBareId = (target: string): boolean => /^\d+$/.test(target);

/** Discord: `user:`, `discord:`, `@digits` and mentions are people, everything else channels. A thread is a channel of its own there. */
export const discordGrammar: TargetGrammar = {
  channel: 'discord',
  parse({ target, threadId, resolvedTarget }) {
    const parsed = parseDiscordTarget(target);
    if (!parsed) return undefined;
    const { id } = parsed;
    const thread = normaliseThreadId(threadId);
    const envelope = thread === undefined ? {} : { threadId: thread };
    // Bare digits may name either; a lookup knows better.
    const isUser = parsed.kind === 'user' || (isBareId(target) && resolvedTarget?.kind === 'user');
    if (isUser) return { kind: 'dm', peerId: id, from: `discord:${id}`, to: `user:${id}`, ...envelope };
    return { kind: 'channel', peerId: id, from: `discord:channel:${id}`, to: `channel:${id}`, ...envelope };
  },
  normalise(target) {
    const parsed = parseDiscordTarget(target);
    return parsed && `${parsed.kind}:${parsed.id}`.toLowerCase();
  },
};
