import { createHash } from 'node:crypto';
import { plexusError, routingContracts } from '@plexus/contracts';
import type { Owner } from '../domain/caller.js';
import type { AttachmentInfo } from '../domain/run-request.js';

const { ATTACHMENT_PART_BYTES, ATTACHMENT_LIMITS } = routingContracts;

/** Where the bytes are. */
export interface AttachmentStore {
  /**
   * Notes a file, unless it is known; of several that come at the same time each counts. `taken`: the id is another file's. `full`: with this one the files
   * of this user would weigh more than `bytesPerUser`.
   */
  begin(uploader: Owner, attachment: AttachmentInfo, bytesPerUser: number): Promise<'noted' | 'taken' | 'full'>;
  /** Keeps one part, unless it is there. Returns the bytes that are there now. */
  append(attachmentId: string, part: number, data: Uint8Array): Promise<number>;
  bytes(attachmentId: string): Promise<Uint8Array>;
  /** Forgets a file that no message has. */
  discard(uploader: Owner, attachmentId: string): Promise<void>;
  /** Files that this user has stored, in the order of the ids; those that are not there are left out. */
  find(uploader: Owner, attachmentIds: readonly string[]): Promise<AttachmentInfo[]>;
  /** One part of a file of a session of this owner. */
  part(owner: Owner, sessionKey: string, attachmentId: string, part: number): Promise<{ attachment: AttachmentInfo; data: Uint8Array } | undefined>;
}

/** Files on their way into a message and out of it. */
export class KeepAttachments {
  constructor(
    private readonly store: AttachmentStore,
    private readonly bytesPerUser: number,
  ) {}

  /**
   * Keeps one part and answers how many bytes are there. A file whose parts are not what was announced is forgotten with the last of them. Rejects with
   * PAYLOAD_TOO_LARGE, QUOTA_EXCEEDED, CONFLICT (the id is another file's) and INVALID_REQUEST (the bytes are not those that were announced).
   */
  async put(uploader: Owner, attachment: AttachmentInfo, part: number, data: Uint8Array): Promise<number> {
    const { attachmentId, bytes, sha256 } = attachment;
    if (bytes > ATTACHMENT_LIMITS.bytes) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes, maxBytes: ATTACHMENT_LIMITS.bytes } });
    const expected = Math.min(ATTACHMENT_PART_BYTES, bytes - part * ATTACHMENT_PART_BYTES);
    if (data.length !== expected) throw notAnnounced(attachmentId);
    const begun = await this.store.begin(uploader, attachment, this.bytesPerUser);
    if (begun === 'full') {
      throw plexusError('QUOTA_EXCEEDED', {
        message: 'The files of this user weigh too much together; delete sessions that have some.',
        details: { maxBytes: this.bytesPerUser },
      });
    }
    if (begun === 'taken') throw plexusError('CONFLICT', { message: 'This id is of another file.', details: { attachmentId } });
    const stored = await this.store.append(attachmentId, part, data);
    if (stored === bytes && hashOf(await this.store.bytes(attachmentId)) !== sha256) {
      // Otherwise a message could name it, and a repetition would find the wrong parts in its way.
      await this.store.discard(uploader, attachmentId);
      throw notAnnounced(attachmentId);
    }
    return stored;
  }

  /** What is known of files that this user has stored. Rejects with NOT_FOUND when one is not there. */
  async find(uploader: Owner, attachmentIds: readonly string[]): Promise<AttachmentInfo[]> {
    const ids = [...new Set(attachmentIds)];
    const found = await this.store.find(uploader, ids);
    const missing = ids.filter((id) => !found.some(({ attachmentId }) => attachmentId === id));
    if (missing.length > 0) throw plexusError('NOT_FOUND', { message: 'There is no such attachment.', details: { attachments: missing } });
    const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes > ATTACHMENT_LIMITS.bytes) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes, maxBytes: ATTACHMENT_LIMITS.bytes } });
    return found;
  }

  /** One part of a file of a session. Rejects with NOT_FOUND. */
  async read(owner: Owner, sessionKey: string, attachmentId: string, part: number): Promise<{ attachment: AttachmentInfo; data: Uint8Array; next?: number }> {
    const found = await this.store.part(owner, sessionKey, attachmentId, part);
    if (!found) throw plexusError('NOT_FOUND', { message: 'This session has no such attachment.', details: { attachmentId } });
    const isLast = part * ATTACHMENT_PART_BYTES + found.data.length >= found.attachment.bytes;
    return { ...found, ...(isLast ? {} : { next: part + 1 }) };
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function notAnnounced(attachmentId: string): Error {
  return plexusError('INVALID_REQUEST', { message: 'These bytes are not those that were announced.', details: { attachmentId } });
}
