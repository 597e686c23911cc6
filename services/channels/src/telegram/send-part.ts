import { type Api, GrammyError } from 'grammy';
import { ChannelError, type OutgoingPart } from '../kit/channel-adapter.js';

/** In forums, the topic that every message without a topic is in; naming it is an error. */
const GENERAL_TOPIC = '1';

/** Sends one part. A group that has become a supergroup is followed to its new id. */
export async function sendPart(api: Api, part: OutgoingPart, linkPreviews: boolean, signal: AbortSignal): Promise<{ messageId?: string }> {
  const chat = chatId(part.to);
  try {
    return await send(api, chat, part, linkPreviews, signal);
  } catch (error) {
    const moved = error instanceof GrammyError ? error.parameters.migrate_to_chat_id : undefined;
    if (moved === undefined) throw error;
    return send(api, moved, part, linkPreviews, signal);
  }
}

async function send(api: Api, chat: number | string, part: OutgoingPart, linkPreviews: boolean, signal: AbortSignal): Promise<{ messageId?: string }> {
  const common = {
    ...(part.threadId !== undefined && part.threadId !== GENERAL_TOPIC && { message_thread_id: threadNumber(part.threadId) }),
    ...(part.replyToId !== undefined && { reply_parameters: { message_id: threadNumber(part.replyToId), allow_sending_without_reply: true } }),
    ...(part.silent && { disable_notification: true }),
  };
  const [attachment] = part.attachments;
  const given = signal as never;
  if (attachment === undefined) {
    const options = { ...common, ...(!linkPreviews && { link_preview_options: { is_disabled: true } }) };
    return { messageId: String((await api.sendMessage(chat, part.text, options, given)).message_id) };
  }
  // Telegram fetches the URL by itself; an id names a file that it has.
  const source = attachment.url ?? attachment.id;
  if (source === undefined) throw new ChannelError({ message: 'the attachment has neither url nor id', code: 'ATTACHMENT_EMPTY', status: 400 });
  const methods = { image: api.sendPhoto, audio: api.sendAudio, video: api.sendVideo, file: api.sendDocument } as const;
  const method = methods[attachment.kind].bind(api) as typeof api.sendDocument;
  const sent = await method(chat, source, { ...common, ...(part.text !== '' && { caption: part.text }) }, given);
  return { messageId: String(sent.message_id) };
}

/** A number, or the @name of a public group or channel. */
function chatId(to: string): number | string {
  if (/^-?\d{1,19}$/.test(to)) return Number(to);
  if (/^@[A-Za-z0-9_]{4,64}$/.test(to)) return to;
  throw new ChannelError({ message: `${JSON.stringify(to.slice(0, 64))} is no chat of Telegram`, code: 'BAD_TARGET', status: 400 });
}

function threadNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ChannelError({ message: `${JSON.stringify(text.slice(0, 64))} is no message or topic of Telegram`, code: 'BAD_TARGET', status: 400 });
}
