import { createHash } from 'node:crypto';
import { type InputOf, type ResponseOf, routingContracts as routing, type RpcContract } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { type AttachedFile, messageWith, readAttachments, type SentAttachment } from '../domain/attachments.js';

/** Asks as the caller. */
export type Ask = <C extends RpcContract>(rpc: C, data: InputOf<C>) => Promise<ResponseOf<C>>;

/** Text and files of a message, as `accept-message` takes them: the files are stored before it is asked. Throws as {@link readAttachments}. */
export async function withAttachments(
  message: string,
  sent: readonly SentAttachment[] | undefined,
  ask: Ask,
): Promise<{ readonly message: string; readonly attachments?: string[] }> {
  const files = readAttachments(sent ?? []);
  const text = messageWith(message, files);
  if (files.length === 0) return { message: text };
  const attachments: string[] = [];
  for (const file of files) attachments.push(await store(file, ask));
  return { message: text, attachments };
}

/** One part after the other: what is on its way is bounded, however large the message is. */
async function store({ name, mimeType, content }: AttachedFile, ask: Ask): Promise<string> {
  const attachmentId = ulid();
  const about = { attachmentId, name, mimeType, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  const size = routing.ATTACHMENT_PART_BYTES;
  for (let part = 0; part * size < content.length; part += 1) {
    const data = content.subarray(part * size, (part + 1) * size).toString('base64');
    await ask(routing.storeAttachment, { ...about, part, data });
  }
  return attachmentId;
}

type Wanted = InputOf<typeof routing.readAttachment>;
type Part = ResponseOf<typeof routing.readAttachment>;

/** A whole file, read part by part. Rejects with what `read` rejects with: SESSION_NOT_FOUND, NOT_FOUND. */
export async function readAttachment(wanted: Wanted, read: (wanted: Wanted) => Promise<Part>): Promise<{ attachment: Part['attachment']; content: Buffer }> {
  const parts: Buffer[] = [];
  for (let part = 0; ; ) {
    const { attachment, data, next } = await read({ ...wanted, part });
    parts.push(Buffer.from(data, 'base64'));
    if (next === undefined) return { attachment, content: Buffer.concat(parts) };
    part = next;
  }
}
