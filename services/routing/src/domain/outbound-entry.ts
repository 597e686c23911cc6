import type { routingContracts } from '@plexus/contracts';
import { conversationLabel } from '@plexus/routing-core';
import type { SessionEntry } from './session-entry.js';

type OutboundRoute = routingContracts.OutboundRoute;

/** Channels whose adapters come with Plexus: they take bare ids of their platforms. Others get targets as their grammar writes them. */
const BARE_IDS = new Set(['telegram', 'slack', 'webhook', 'upstream']);

/** The target as the adapter of the channel takes it. */
export function platformTarget({ channel, to }: Pick<OutboundRoute, 'channel' | 'to'>): string {
  if (!BARE_IDS.has(channel)) return to;
  const bare = to.replace(new RegExp(`^${channel}:`, 'i'), '').replace(/^(user|channel|group|conversation|room|dm):/i, '');
  return bare === '' ? to : bare;
}

/** What an outbound message tells about its conversation, in the form in which an inbound one would. */
export function outboundEntry(route: OutboundRoute): SessionEntry {
  const { channel, chatType, from, to, accountId, threadId, peer } = route;
  const label = conversationLabel({ From: from, ChatType: chatType, Provider: channel });
  const thread = threadId === undefined ? {} : { threadId };
  return {
    chatType,
    channel,
    ...(chatType === 'direct' ? {} : { groupId: peer.id }),
    ...thread,
    origin: { label, provider: channel, surface: channel, chatType, from, to, accountId, ...thread },
    lastRoute: { channel, accountId, to: platformTarget(route), ...thread },
  };
}
