import { createHash } from 'node:crypto';
import { toStorableText } from '@plexus/kernel';
import type { MessageAttachment } from '@plexus/vm-protocol';
import type { AgentTurn, Log } from './ports.js';

/** The bytes of files that messages brought along. */
export interface AttachmentBytes {
  /** From the folder of the session, else from the mesh. Rejects when they cannot be had, or are not those that were announced. */
  read(sessionId: string, attachment: MessageAttachment, signal: AbortSignal): Promise<Uint8Array>;
  /** Where tools find the file, below the workspace. */
  placeOf(attachment: MessageAttachment): string;
}

/** Characters of one text file that the model is shown, and of all files of a message. */
const MAX_SHOWN = 100_000;
const MAX_SHOWN_TOGETHER = 200_000;

/** What models with eyes take. Anything else that calls itself a picture (SVG) is a text or nothing. */
const PICTURES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const isPicture = ({ mime_type }: MessageAttachment): boolean => PICTURES.has(mime_type);

/**
 * The turn with the files of its message: the content of text files behind the message, pictures for models that can see. A file that cannot be had is
 * named with the reason, and the message is answered all the same. Rejects only when the signal aborts.
 */
export async function withAttachments(
  turn: AgentTurn,
  attachments: readonly MessageAttachment[] | null | undefined,
  files: AttachmentBytes | undefined,
  signal: AbortSignal,
  log: Log,
): Promise<AgentTurn> {
  if (!attachments?.length || files === undefined) return turn;
  const pictures: MessageAttachment[] = [];
  const asked = createHash('sha256');
  for (const part of [turn.message, ...attachments.map(({ attachment_id: id }) => id)]) asked.update(`${part}\0`);
  let { message } = turn;
  let left = MAX_SHOWN_TOGETHER;
  for (const one of attachments) {
    const about = `${one.name} (${one.mime_type}, ${one.bytes} bytes)`;
    try {
      const bytes = await files.read(turn.sessionId, one, signal);
      const place = `in the workspace at ${files.placeOf(one)}`;
      if (isPicture(one)) {
        pictures.push(one);
        message += `\n\n[Attached picture: ${about}, ${place}]`;
      } else {
        const text = new TextDecoder().decode(bytes);
        const shown = toStorableText(text.slice(0, Math.min(MAX_SHOWN, left)));
        left -= shown.length;
        const cut = shown.length < text.length ? `; only its first ${shown.length} characters follow` : '';
        message += `\n\n[Attached file: ${about}, ${place}${cut}]\n${shown}\n[End of ${one.name}]`;
      }
    } catch (error) {
      signal.throwIfAborted();
      log('warn', 'an attachment cannot be read', { sessionId: turn.sessionId, runId: turn.runId, attachmentId: one.attachment_id, error });
      message += `\n\n[Attached, and it cannot be read: ${about}]`;
    }
  }
  return { ...turn, message, asked: asked.digest('hex'), ...(pictures.length > 0 && { pictures }) };
}
