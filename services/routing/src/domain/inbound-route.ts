import type { channelContracts, DataOf } from '@plexus/contracts';
import { conversationLabel, type Route, type RouteInput, threadSession } from '@plexus/routing-core';
import type { ReplyRoute } from './reply-route.js';
import type { SessionEntry } from './session-entry.js';

export type InboundMessage = DataOf<typeof channelContracts.messageReceived>;

/** Channels in which a topic is part of the group's own id. */
const TOPIC_IN_PEER = new Set(['telegram']);
/** Channels in which a thread is a place with an id of its own: the chat is the thread. */
const THREAD_IS_PLACE = new Set(['discord']);

/** What the bindings are asked about a message. A topic of a group inherits the binding of its group. */
export function routeQuestion(channel: string, message: InboundMessage): RouteInput {
  const { chat, sender, threadId, parent } = message;
  const own = chat.kind === 'dm' ? { kind: 'dm', id: sender.id } : { kind: chat.kind, id: chat.id };
  const topic = chat.kind !== 'dm' && threadId !== undefined && TOPIC_IN_PEER.has(channel);
  return {
    channel,
    accountId: message.account,
    peer: topic ? { kind: chat.kind, id: `${chat.id}:topic:${threadId}` } : own,
    ...(parent ? { parentPeer: parent } : topic ? { parentPeer: own } : {}),
    ...(message.guildId === undefined ? {} : { guildId: message.guildId }),
    ...(message.teamId === undefined ? {} : { teamId: message.teamId }),
    ...(message.roles === undefined ? {} : { memberRoleIds: message.roles }),
  } as RouteInput;
}

/** The session of a routed message: threads that are not part of the peer get a session of their own. */
export function inboundSessionKey(channel: string, message: InboundMessage, route: Pick<Route, 'sessionKey'>): string {
  const inPeer = THREAD_IS_PLACE.has(channel) || (message.chat.kind !== 'dm' && TOPIC_IN_PEER.has(channel));
  if (message.threadId === undefined || inPeer) return route.sessionKey;
  return threadSession({ baseSessionKey: route.sessionKey, threadId: message.threadId }).sessionKey;
}

/** Where the answer goes: the account, chat and thread that the message came from. */
export function replyRouteOf(channel: string, message: InboundMessage): ReplyRoute {
  const { account, chat, threadId } = message;
  return { channel, accountId: account, to: chat.id, chatKind: chat.kind, ...(threadId === undefined ? {} : { threadId }) };
}

/** What the message tells about its conversation. */
export function entryOf(channel: string, message: InboundMessage): SessionEntry {
  const { chat, sender, account, threadId } = message;
  const chatType = chat.kind === 'dm' ? 'direct' : chat.kind;
  const from = chat.kind === 'dm' ? `${channel}:${sender.id}` : `${channel}:${chat.kind}:${chat.id}`;
  const to = `${channel}:${chat.id}`;
  const label = conversationLabel({ From: from, ChatType: chatType, Provider: channel, SenderName: sender.name ?? sender.username, GroupSubject: chat.title });
  return {
    chatType,
    channel,
    ...(chat.kind === 'dm' ? {} : { groupId: chat.id, displayName: chat.title }),
    threadId,
    origin: { label, provider: channel, surface: channel, chatType, from, to, accountId: account, ...(threadId === undefined ? {} : { threadId }) },
    lastRoute: { channel, accountId: account, to: chat.id, ...(threadId === undefined ? {} : { threadId }) },
  };
}

/** What the agent reads: the text, and files by name. Empty when the message says nothing at all. */
export function messageText({ text, attachments = [] }: InboundMessage): string {
  const files = attachments.map(({ kind, name, url, id }) => `[${kind}: ${name ?? url ?? id ?? 'without a name'}]`);
  return [text.trim() === '' ? [] : [text], files].flat().join('\n');
}
