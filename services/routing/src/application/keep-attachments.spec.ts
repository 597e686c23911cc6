import { createHash } from 'node:crypto';
import { routingContracts } from '@plexus/contracts';
import type { AttachmentInfo } from '../domain/run-request.js';
import { type AttachmentStore, KeepAttachments } from './keep-attachments.js';

const { ATTACHMENT_PART_BYTES: SIZE } = routingContracts;
const me = { tenant: 'acme', owner: 'ada' };

/** Rows as the database has them; nothing between two of them is asynchronous, so begin is one step here too. */
function memory() {
  const files = new Map<string, { info: AttachmentInfo; parts: Map<number, Uint8Array> }>();
  const bytesOf = (id: string) => Buffer.concat([...(files.get(id)?.parts ?? [])].sort(([a], [b]) => a - b).map(([, data]) => data));
  const store: AttachmentStore = {
    begin: async (_uploader, info, limit) => {
      const known = files.get(info.attachmentId);
      if (known !== undefined) return known.info.sha256 === info.sha256 ? 'noted' : 'taken';
      if ([...files.values()].reduce((sum, one) => sum + one.info.bytes, info.bytes) > limit) return 'full';
      files.set(info.attachmentId, { info, parts: new Map() });
      return 'noted';
    },
    append: async (id, part, data) => {
      const parts = files.get(id)?.parts;
      if (!parts?.has(part)) parts?.set(part, data);
      return bytesOf(id).length;
    },
    bytes: async (id) => bytesOf(id),
    discard: async (_uploader, id) => void files.delete(id),
    find: async (_uploader, ids) => ids.flatMap((id) => files.get(id)?.info ?? []),
    part: async () => undefined,
  };
  return { store, files };
}

function fileOf(content: Buffer, attachmentId = 'a'): AttachmentInfo {
  return { attachmentId, name: 'x.txt', mimeType: 'text/plain', bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

describe('KeepAttachments', () => {
  it('counts each file once, whichever part of it comes first and however often it comes', async () => {
    const content = Buffer.alloc(SIZE + 1, 'x');
    const { store, files } = memory();
    const keep = new KeepAttachments(store, content.length);
    const about = fileOf(content);
    expect(await keep.put(me, about, 1, content.subarray(SIZE))).toBe(1);
    expect(await keep.put(me, about, 0, content.subarray(0, SIZE))).toBe(content.length);
    expect(await keep.put(me, about, 0, content.subarray(0, SIZE))).toBe(content.length);
    // The part that does not begin it is no way around the limit.
    await expect(keep.put(me, fileOf(content, 'b'), 1, content.subarray(SIZE))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect([...files.keys()]).toEqual(['a']);
  });

  it('forgets what is not what was announced: no message can name it, and it can be stored again', async () => {
    const { store, files } = memory();
    const keep = new KeepAttachments(store, 1_000);
    const about = fileOf(Buffer.from('hello'));
    await expect(keep.put(me, about, 0, Buffer.from('hullo'))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    expect(files.size).toBe(0);
    await expect(keep.find(me, ['a'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await keep.put(me, about, 0, Buffer.from('hello'))).toBe(5);
  });

  it('refuses an id that is of another file', async () => {
    const keep = new KeepAttachments(memory().store, 1_000);
    await keep.put(me, fileOf(Buffer.from('one')), 0, Buffer.from('one'));
    await expect(keep.put(me, fileOf(Buffer.from('two')), 0, Buffer.from('two'))).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
