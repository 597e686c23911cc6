import type { channelContracts } from '@plexus/contracts';
import { z } from 'zod';
import type { ReceivedMessage } from '../kit/channel-adapter.js';

const Id = z.number().int();
const User = z.object({
  id: Id,
  is_bot: z.boolean().optional(),
  first_name: z.string().optional(),
  last_name: z.string().optional(),
  username: z.string().optional(),
});
const Chat = z.object({ id: Id, type: z.enum(['private', 'group', 'supergroup', 'channel']), title: z.string().optional(), username: z.string().optional() });
const Entity = z.object({ type: z.string(), offset: Id, length: Id, user: User.optional() });
const File = z.object({ file_id: z.string(), file_name: z.string().optional(), mime_type: z.string().optional(), file_size: z.number().optional() });

const Message = z.object({
  message_id: Id,
  message_thread_id: Id.optional(),
  is_topic_message: z.boolean().optional(),
  date: z.number(),
  chat: Chat,
  from: User.optional(),
  sender_chat: Chat.optional(),
  text: z.string().optional(),
  caption: z.string().optional(),
  entities: z.array(Entity).optional(),
  caption_entities: z.array(Entity).optional(),
  reply_to_message: z.object({ message_id: Id, from: User.optional(), forum_topic_created: z.unknown().optional() }).optional(),
  photo: z.array(File).optional(),
  document: File.optional(),
  audio: File.optional(),
  voice: File.optional(),
  video: File.optional(),
});
type Message = z.output<typeof Message>;

/** What we read of an update; everything else in it is somebody else's business. */
export const Update = z.object({ update_id: Id, message: Message.optional(), channel_post: Message.optional() });
export type Update = z.output<typeof Update>;
/** The kinds of updates that we ask for. */
export const ALLOWED_UPDATES = ['message', 'channel_post'] as const;

/** The bot itself, as `getMe` tells. */
export interface Bot {
  readonly id: number;
  readonly username?: string | undefined;
}

type Attachment = channelContracts.ChannelAttachment;

/** An update in our words; undefined for what is no message of a person (service messages, bots, ourselves). */
export function receivedMessage(update: Update, bot: Bot): ReceivedMessage | undefined {
  const message = update.message ?? update.channel_post;
  if (message === undefined || message.from?.is_bot === true || message.from?.id === bot.id) return undefined;
  const text = message.text ?? message.caption ?? '';
  const attachments = attachmentsOf(message);
  if (text === '' && attachments.length === 0) return undefined;
  const { chat, from, sender_chat: senderChat } = message;
  // A negative id does not tell a group from a channel, so both are one kind: a target must lead to the session that a message came to.
  const kind = chat.type === 'private' ? 'dm' : 'group';
  const name = from ? [from.first_name, from.last_name].filter(Boolean).join(' ') : senderChat?.title;
  const username = from?.username ?? senderChat?.username;
  const reply = message.reply_to_message;
  return {
    messageId: String(message.message_id),
    chat: { kind, id: String(chat.id), ...(chat.title && { title: chat.title.slice(0, 256) }) },
    // Telegram also numbers plain reply chains; only topics are places of their own.
    ...(message.is_topic_message === true && message.message_thread_id !== undefined && { threadId: String(message.message_thread_id) }),
    sender: { id: String(from?.id ?? senderChat?.id ?? chat.id), ...(name && { name: name.slice(0, 256) }), ...(username && { username }) },
    text,
    ...(attachments.length > 0 && { attachments }),
    // The first message of a topic "replies" to the topic's creation.
    ...(reply !== undefined && reply.forum_topic_created === undefined && { replyToId: String(reply.message_id) }),
    mentionsBot: kind === 'dm' || mentions(message, text, bot),
    receivedAt: new Date(message.date * 1_000).toISOString(),
  };
}

function mentions(message: Message, text: string, bot: Bot): boolean {
  if (message.reply_to_message?.from?.id === bot.id) return true;
  const handle = bot.username === undefined ? undefined : `@${bot.username.toLowerCase()}`;
  return (message.entities ?? message.caption_entities ?? []).some(({ type, offset, length, user }) => {
    if (type === 'text_mention') return user?.id === bot.id;
    const words = text.slice(offset, offset + length).toLowerCase();
    return handle !== undefined && ((type === 'mention' && words === handle) || (type === 'bot_command' && words.endsWith(handle)));
  });
}

function attachmentsOf(message: Message): Attachment[] {
  const file = (kind: Attachment['kind'], given: z.output<typeof File> | undefined): Attachment[] =>
    given === undefined
      ? []
      : [
          {
            kind,
            id: given.file_id.slice(0, 256),
            ...(given.file_name && { name: given.file_name.slice(0, 256) }),
            ...(given.mime_type && { mimeType: given.mime_type.slice(0, 128) }),
            ...(given.file_size !== undefined && { sizeBytes: given.file_size }),
          },
        ];
  return [
    // The sizes of one photo are sorted; the last is the largest.
    ...file('image', message.photo?.at(-1)),
    ...file('file', message.document),
    ...file('audio', message.audio ?? message.voice),
    ...file('video', message.video),
  ];
}
