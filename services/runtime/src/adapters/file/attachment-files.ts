import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { GetAttachmentResult, type MessageAttachment, type ResultOf } from '@plexus/vm-protocol';
import type { AttachmentBytes } from '../../application/attached-files.js';
import type { MeshCalls } from '../../application/mesh-calls.js';

const FOLDER = 'attachments';
const MAX_PARTS = 32;

/** Files of messages in the workspace of their session, where tools find them as well; read from the mesh when they are not there. */
export class AttachmentFiles implements AttachmentBytes {
  constructor(
    private readonly calls: Pick<MeshCalls, 'request'>,
    private readonly workspaceOf: (sessionId: string) => string,
  ) {}

  placeOf({ attachment_id: id, name }: MessageAttachment): string {
    const safe = name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(-100);
    return `${FOLDER}/${id.replace(/[^A-Za-z0-9]+/g, '')}-${safe}`;
  }

  async read(sessionId: string, attachment: MessageAttachment, signal: AbortSignal): Promise<Uint8Array> {
    const file = path.join(this.workspaceOf(sessionId), this.placeOf(attachment));
    const kept = await readFile(file).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    // A tool may have changed it.
    if (kept !== undefined && isWhole(kept, attachment)) return kept;
    const bytes = await this.fetch(sessionId, attachment, signal);
    await keep(file, bytes);
    return bytes;
  }

  private async fetch(sessionId: string, attachment: MessageAttachment, signal: AbortSignal): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    for (let part: number | undefined = 0; part !== undefined && parts.length < MAX_PARTS; ) {
      const params = { attachment_id: attachment.attachment_id, part };
      const answer: ResultOf<'get_attachment'> = GetAttachmentResult.parse(await this.calls.request(sessionId, 'get_attachment', params, { signal }));
      parts.push(Buffer.from(answer.data, 'base64'));
      part = answer.next ?? undefined;
    }
    const bytes = Buffer.concat(parts);
    if (!isWhole(bytes, attachment)) throw new Error('the bytes of the attachment are not those that were announced');
    return bytes;
  }
}

function isWhole(bytes: Uint8Array, { bytes: announced, sha256 }: MessageAttachment): boolean {
  return bytes.length === announced && createHash('sha256').update(bytes).digest('hex') === sha256;
}

async function keep(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const beside = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(beside, bytes, { flag: 'wx', mode: 0o600 });
    await rename(beside, file);
  } catch (error) {
    // What was begun must not stay; the error that matters is the first one.
    await rm(beside, { force: true }).catch(() => undefined);
    throw error;
  }
}
