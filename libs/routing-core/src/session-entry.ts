import { groupSession, type InboundContext } from './inbound-context.js';
import { type Loose, lowered, normaliseThreadId, trimmed } from './normalise.js';

/** What a message says about its conversation, beside the session that it belongs to. */
export interface EntryContext extends InboundContext {
  readonly To?: Loose;
  readonly AccountId?: Loose;
  readonly Surface?: Loose;
  readonly OriginatingChannel?: Loose;
  readonly OriginatingTo?: Loose;
  readonly MessageThreadId?: Loose;
  readonly SenderName?: Loose;
  /** Title of a group. */
  readonly GroupSubject?: Loose;
  /** Name of a channel, with or without `#`. */
  readonly GroupChannel?: Loose;
  /** Workspace or server of a channel. */
  readonly GroupSpace?: Loose;
}

export interface EntryOrigin {
  readonly label?: string;
  readonly provider?: string;
  readonly surface?: string;
  readonly chatType?: string;
  readonly from?: string;
  readonly to?: string;
  readonly accountId?: string;
  readonly threadId?: string;
}

/** The part of a session entry that a message may change. */
export interface EntryPatch {
  readonly chatType?: 'group' | 'channel';
  readonly channel?: string;
  readonly groupId?: string;
  readonly subject?: string;
  readonly groupChannel?: string;
  readonly space?: string;
  readonly displayName?: string;
  readonly origin?: EntryOrigin;
}

/**
 * What a message changes in the entry of its session. The origin is merged field by field: what is empty now does not erase what was known.
 */
export function sessionEntryPatch(context: EntryContext, existing?: EntryPatch | null): EntryPatch {
  const origin = { ...existing?.origin, ...originOf(context) };
  const group = groupSession(context);
  const withOrigin = Object.keys(origin).length === 0 ? {} : { origin };
  if (!group) return withOrigin;
  const subject = trimmed(context.GroupSubject);
  const groupChannel = trimmed(context.GroupChannel);
  const space = trimmed(context.GroupSpace);
  const names = filled({ subject, groupChannel, space });
  const displayName = groupName(group.channel, { ...existing, ...names }, group.id);
  return { chatType: group.chatType, channel: group.channel, groupId: group.id, ...names, displayName, ...withOrigin };
}

function originOf(context: EntryContext): EntryOrigin {
  return filled({
    label: conversationLabel(context),
    provider: lowered(context.OriginatingChannel) || lowered(context.Provider),
    surface: lowered(context.Surface),
    chatType: lowered(context.ChatType) === 'dm' ? 'direct' : lowered(context.ChatType),
    from: trimmed(context.From),
    to: trimmed(context.OriginatingTo) || trimmed(context.To),
    accountId: trimmed(context.AccountId),
    threadId: normaliseThreadId(context.MessageThreadId) ?? '',
  });
}

/** How people call the conversation: the sender of a direct one; else channel, title, space or origin, with an id that would be missed. */
export function conversationLabel(context: EntryContext): string {
  const from = trimmed(context.From);
  if (!isGroup(context)) return trimmed(context.SenderName) || from;
  const base = trimmed(context.GroupChannel) || trimmed(context.GroupSubject) || trimmed(context.GroupSpace) || from;
  const id = from.split(':').at(-1) ?? '';
  const tellsApart = /^\d+$/.test(id) || id.includes('@g.us');
  return base !== '' && tellsApart && !base.includes(id) ? `${base} id:${id}` : base;
}

const isGroup = (context: EntryContext): boolean => ['group', 'channel'].includes(lowered(context.ChatType)) || groupSession(context) !== undefined;

/** `<channel>:g-<name>`, or `<channel>:#<channel name>`: what lists show. */
function groupName(channel: string, entry: EntryPatch, id: string): string {
  const { groupChannel = '', space = '', subject = '' } = entry;
  const place = groupChannel !== '' && space !== '' ? `${space}#${groupChannel.replace(/^#+/, '')}` : groupChannel;
  const token =
    (place || subject || space || id)
      .toLowerCase()
      .replace(/[^a-z0-9#@._+-]+/g, '-')
      .replace(/-{2,}/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '') || id;
  return `${channel}:${token.includes('#') || token.startsWith('@') || token.startsWith('g-') ? token : `g-${token}`}`;
}

function filled<T extends Record<string, string>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')) as { [K in keyof T]?: string };
}
