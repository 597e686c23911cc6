import { listOf, lowered, normaliseAccountId, normaliseThreadId } from '../normalise.js';
import type { RoutingConfig, SlackSettings } from '../routing-config.js';
import { malformedTarget, type ParsedTarget, type TargetGrammar, type TargetRequest } from '../target-grammar.js';

export interface SlackTarget {
  readonly kind: 'user' | 'channel' | 'group';
  readonly id: string;
}

/** Reads a Slack target; undefined when nothing is named. Prefixes are case-sensitive; names that are no ids are refused. */
export function parseSlackTarget(raw: string): SlackTarget | undefined {
  const target = raw.trim();
  const mention = /^<@([a-z0-9]+)>$/i.exec(target)?.[1];
  if (mention !== undefined) return { kind: 'user', id: mention };
  for (const [prefix, kind] of PREFIXES) {
    if (target.startsWith(prefix)) return named(kind, target.slice(prefix.length).trim());
  }
  if (target.startsWith('@')) {
    const id = target.slice(1).trim();
    if (/^[a-z0-9]+$/i.test(id)) return { kind: 'user', id };
    throw malformedTarget('slack', raw, 'A Slack name is no user id.', 'Use user:<id> or <@id>.');
  }
  if (target.startsWith('#')) {
    const id = target.slice(1).trim();
    if (/^[a-z0-9]+$/i.test(id)) return { kind: 'channel', id };
    throw malformedTarget('slack', raw, 'A Slack channel name is no channel id.', 'Use channel:<id>.');
  }
  return named('channel', target);
}

const PREFIXES: readonly (readonly [string, SlackTarget['kind']])[] = [
  ['user:', 'user'],
  ['channel:', 'channel'],
  ['group:', 'group'],
  ['mpim:', 'group'],
  ['slack:', 'user'],
];
const named = (kind: SlackTarget['kind'], id: string): SlackTarget | undefined => (id === '' ? undefined : { kind, id });

/** Slack: `user:`, `slack:`, `@ID`, `<@ID>` are people; `channel:`, `#ID` and bare ids are channels; `group:`, `mpim:` and a listed `G…` are group conversations. */
export const slackGrammar: TargetGrammar = {
  channel: 'slack',
  parse(request) {
    const parsed = parseSlackTarget(request.target);
    if (!parsed) return undefined;
    const { id } = parsed;
    // A blank thread id stands for "no thread" and does not fall back to the reply.
    const threadId = normaliseThreadId(request.threadId ?? request.replyToId);
    const thread = threadId === undefined ? {} : { threadId, threadSuffix: threadId };
    if (parsed.kind === 'user') return { kind: 'dm', peerId: id, from: `slack:${id}`, to: `user:${id}`, ...thread };
    const kind = parsed.kind === 'group' || (/^g/i.test(id) && isGroupConversation(id, request)) ? 'group' : 'channel';
    return { kind, peerId: id, from: `slack:${kind}:${id}`, to: `channel:${id}`, chatType: 'channel', ...thread } satisfies ParsedTarget;
  },
  normalise(target) {
    const parsed = parseSlackTarget(target);
    return parsed && `${parsed.kind}:${parsed.id}`.toLowerCase();
  },
};

/** An id with `G` names a private channel or a group conversation; the configuration or a lookup tells, else it counts as a channel. */
function isGroupConversation(id: string, { config, accountId, resolvedTarget }: TargetRequest): boolean {
  const wanted = id.toLowerCase();
  for (const settings of slackSettings(config, normaliseAccountId(accountId))) {
    if (listOf(settings.dm?.groupChannels).some((entry) => bareId(lowered(entry)) === wanted)) return true;
    const channels = settings.channels;
    if (channels !== null && typeof channels === 'object' && Object.keys(channels).some((key) => bareId(key.trim().toLowerCase()) === wanted)) return false;
  }
  return resolvedTarget?.kind === 'group';
}

const bareId = (entry: string): string => entry.replace(/^(?:slack|channel|group|mpim):/, '');

function* slackSettings(config: RoutingConfig, accountId: string): Generator<SlackSettings> {
  const channel = objectOf(objectOf(config.channels)?.slack);
  if (!channel) return;
  const accounts = objectOf(channel.accounts) ?? {};
  const name = Object.keys(accounts).find((candidate) => normaliseAccountId(candidate) === accountId);
  const account = name === undefined ? undefined : objectOf(accounts[name]);
  for (const settings of [objectOf(account?.settings), account, channel]) {
    if (settings) yield { dm: objectOf(settings.dm) as SlackSettings['dm'], channels: objectOf(settings.channels) };
  }
}

const objectOf = (value: unknown): Record<string, unknown> | undefined =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
