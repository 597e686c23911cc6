import type { channelContracts } from '@plexus/contracts';
import { z } from 'zod';
import type { ReceivedMessage } from '../kit/channel-adapter.js';

const Timestamp = z.string().regex(/^\d{1,12}\.\d{1,9}$/);
const File = z.object({
  id: z.string(),
  name: z.string().nullish(),
  mimetype: z.string().nullish(),
  size: z.number().nullish(),
  url_private: z.string().nullish(),
});

const MessageEvent = z.object({
  type: z.enum(['message', 'app_mention']),
  subtype: z.string().optional(),
  channel: z.string().min(1),
  channel_type: z.string().optional(),
  user: z.string().optional(),
  bot_id: z.string().optional(),
  text: z.string().optional(),
  ts: Timestamp,
  thread_ts: Timestamp.optional(),
  files: z.array(File).optional(),
});

/** What we read of an Events API payload. */
export const EventPayload = z.object({ type: z.literal('event_callback'), team_id: z.string().optional(), event: MessageEvent });
export type EventPayload = z.output<typeof EventPayload>;

/** Message subtypes that people cause; all others are notes of Slack or changes to old messages. */
const PEOPLE = new Set([undefined, 'file_share', 'thread_broadcast', 'me_message']);

/** The app's own bot, as `auth.test` tells. */
export interface Self {
  readonly userId: string;
}

/** An event in our words; undefined for what is no message of a person. `kindOf` is asked for messages only. */
export async function receivedMessage(
  { team_id: teamId, event }: EventPayload,
  self: Self,
  kindOf: (event: EventPayload['event']) => Promise<channelContracts.ChatKind>,
): Promise<ReceivedMessage | undefined> {
  const { user, text = '', files = [] } = event;
  if (user === undefined || user === self.userId || event.bot_id !== undefined || !PEOPLE.has(event.subtype)) return undefined;
  if (text === '' && files.length === 0) return undefined;
  const kind = await kindOf(event);
  const attachments = files.slice(0, 20).map(attachmentOf);
  const isReply = event.thread_ts !== undefined && event.thread_ts !== event.ts;
  return {
    messageId: event.ts,
    chat: { kind, id: event.channel },
    // The root of a thread says nothing about a thread; only replies are in one.
    ...(isReply && { threadId: event.thread_ts, replyToId: event.thread_ts }),
    ...(teamId !== undefined && { teamId }),
    sender: { id: user },
    text: unescapeSlack(text),
    ...(attachments.length > 0 && { attachments }),
    mentionsBot: kind === 'dm' || event.type === 'app_mention' || text.includes(`<@${self.userId}>`),
    receivedAt: new Date(Number(event.ts) * 1_000).toISOString(),
  };
}

function attachmentOf({ id, name, mimetype, size, url_private: url }: z.output<typeof File>): channelContracts.ChannelAttachment {
  const family = mimetype?.split('/', 1)[0];
  return {
    kind: family === 'image' || family === 'audio' || family === 'video' ? family : 'file',
    id,
    ...(url && url.length <= 2_048 && { url }),
    ...(name && { name: name.slice(0, 256) }),
    ...(mimetype && { mimeType: mimetype.slice(0, 128) }),
    ...(typeof size === 'number' && { sizeBytes: size }),
  };
}

/** Slack escapes exactly these three characters. */
export function unescapeSlack(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/** A place to write to: mentions like `<!channel>` in an answer would wake everybody, so they are text. */
export function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
