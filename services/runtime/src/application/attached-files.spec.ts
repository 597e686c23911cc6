import type { MessageAttachment } from '@plexus/vm-protocol';
import { type AttachmentBytes, withAttachments } from './attached-files.js';
import type { AgentTurn } from './ports.js';

const turn: AgentTurn = { sessionId: 's', runId: 'r', resume: false, message: 'look', history: [] };
const signal = new AbortController().signal;
const attached = (name: string, mime_type: string): MessageAttachment => ({ attachment_id: `id-${name}`, name, mime_type, bytes: 3, sha256: '0'.repeat(64) });

function filesOf(contents: Readonly<Record<string, string>>): AttachmentBytes {
  return {
    placeOf: ({ name }) => `attachments/${name}`,
    read: async (_session, { name }) => {
      const content = contents[name];
      if (content === undefined) throw new Error('gone');
      return Buffer.from(content);
    },
  };
}
const resolve = (files: AttachmentBytes | undefined, ...attachments: MessageAttachment[]) => withAttachments(turn, attachments, files, signal, () => undefined);

describe('files of a message', () => {
  it('stand behind its text, or go along as pictures', async () => {
    const picture = attached('a.png', 'image/png');
    const resolved = await resolve(filesOf({ 'a.png': 'x', 'b.txt': 'one\ntwo' }), picture, attached('b.txt', 'text/plain'));
    expect(resolved.pictures).toEqual([picture]);
    expect(resolved.message).toBe(
      [
        'look',
        '[Attached picture: a.png (image/png, 3 bytes), in the workspace at attachments/a.png]',
        '[Attached file: b.txt (text/plain, 3 bytes), in the workspace at attachments/b.txt]\none\ntwo\n[End of b.txt]',
      ].join('\n\n'),
    );
  });

  it('are no pictures because they are called so', async () => {
    const resolved = await resolve(filesOf({ 'a.svg': '<svg/>' }), attached('a.svg', 'image/svg+xml'));
    expect(resolved.pictures).toBeUndefined();
    expect(resolved.message).toContain('\n<svg/>\n[End of a.svg]');
  });

  it('are cut to what a model is shown, each and all together', async () => {
    const long = '§'.repeat(150_000);
    const { message } = await resolve(
      filesOf({ a: long, b: long, c: long }),
      attached('a', 'text/plain'),
      attached('b', 'text/plain'),
      attached('c', 'text/plain'),
    );
    expect(message.split('§').length - 1).toBe(200_000);
    expect(message).toContain('only its first 100000 characters follow');
    expect(message).toContain('only its first 0 characters follow');
  });

  it('that cannot be had are named, and the message is answered all the same', async () => {
    const resolved = await resolve(filesOf({}), attached('gone.png', 'image/png'));
    expect(resolved.message).toBe('look\n\n[Attached, and it cannot be read: gone.png (image/png, 3 bytes)]');
    expect(resolved.pictures).toBeUndefined();
  });

  it('change nothing where there are none', async () => {
    expect(await resolve(filesOf({}))).toBe(turn);
    expect(await resolve(undefined, attached('a', 'text/plain'))).toBe(turn);
  });

  it('are not waited for by a run that is cancelled', async () => {
    const stop = new AbortController();
    const files = { ...filesOf({}), read: async () => Promise.reject(new Error('aborted')) };
    stop.abort(new Error('cancelled'));
    await expect(withAttachments(turn, [attached('a', 'text/plain')], files, stop.signal, () => undefined)).rejects.toThrow('cancelled');
  });
});
