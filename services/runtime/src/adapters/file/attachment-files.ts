import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { GetAttachmentResult, type MessageAttachment, type ResultOf } from '@plexus/vm-protocol';
import type { AttachmentBytes } from '../../application/attached-files.js';
import type { MeshCalls } from '../../application/mesh-calls.js';
import { resolveInside } from '../tools/workspace-path.js';

const FOLDER = 'attachments';
const MAX_PARTS = 32;
/** Nothing is there, or something that nobody here has put there: the file is written anew. */
const NOT_OURS = new Set(['ENOENT', 'ELOOP', 'ENXIO']);

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
    const file = await this.fileOf(sessionId, attachment);
    const kept = await keptAt(file, attachment.bytes);
    // A tool may have changed it.
    if (kept !== undefined && isWhole(kept, attachment)) return kept;
    const bytes = await this.fetch(sessionId, attachment, signal);
    await keep(file, bytes);
    return bytes;
  }

  /** Tools may put links wherever they like: what leads out of the workspace is refused. */
  private async fileOf(sessionId: string, attachment: MessageAttachment): Promise<string> {
    const workspace = this.workspaceOf(sessionId);
    await mkdir(workspace, { recursive: true, mode: 0o700 });
    const place = this.placeOf(attachment);
    const folder = await resolveInside(workspace, path.dirname(place));
    if (!folder.ok) throw new Error('the folder of attachments is not in the workspace any more');
    return path.join(folder.path, path.basename(place));
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

/** What is there, if it is a plain file of that size: a link is not followed, a pipe not waited for, nothing larger read. */
async function keptAt(file: string, bytes: number): Promise<Uint8Array | undefined> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (NOT_OURS.has(error.code ?? '')) return undefined;
    throw error;
  });
  try {
    const found = await opened?.stat();
    return found?.isFile() && found.size === bytes ? await opened?.readFile() : undefined;
  } finally {
    await opened?.close();
  }
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
