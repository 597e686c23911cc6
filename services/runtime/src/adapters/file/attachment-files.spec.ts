import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MessageAttachment } from '@plexus/vm-protocol';
import { AttachmentFiles } from './attachment-files.js';

const CONTENT = 'what was sent';
const attachment: MessageAttachment = {
  ...{ attachment_id: '01jd2x3y4z5a6b7c8d9e0f1g2h', name: '../no tes.txt', mime_type: 'text/plain', bytes: CONTENT.length },
  sha256: createHash('sha256').update(CONTENT).digest('hex'),
};
const signal = new AbortController().signal;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'attachments-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function bench() {
  const workspace = path.join(folder, 'workspace');
  let asked = 0;
  const calls = {
    request: async () => {
      asked += 1;
      return { data: Buffer.from(CONTENT).toString('base64') };
    },
  };
  const files = new AttachmentFiles(calls, () => workspace);
  const read = async () => Buffer.from(await files.read('s', attachment, signal)).toString();
  return { workspace, read, place: path.join(workspace, files.placeOf(attachment)), asked: () => asked };
}

describe('files of messages in a workspace', () => {
  it('are asked for once, kept under a name of their own, and asked for again when a tool has changed them', async () => {
    const { read, place, asked } = bench();
    expect([await read(), await read(), asked()]).toEqual([CONTENT, CONTENT, 1]);
    expect(path.basename(place)).toBe('01jd2x3y4z5a6b7c8d9e0f1g2h-.._no_tes.txt');
    writeFileSync(place, 'something else');
    expect([await read(), asked(), readFileSync(place, 'utf8')]).toEqual([CONTENT, 2, CONTENT]);
  });

  it('go nowhere else, although a tool has put a link where they belong', async () => {
    const { workspace, read, place, asked } = bench();
    await read();
    const outside = path.join(folder, 'outside');
    writeFileSync(outside, CONTENT);
    rmSync(place);
    symlinkSync(outside, place);
    // It leads to the very same bytes: only that it is a link tells it apart.
    expect([await read(), asked(), lstatSync(place).isFile()]).toEqual([CONTENT, 2, true]);

    rmSync(path.join(workspace, 'attachments'), { recursive: true });
    const elsewhere = mkdtempSync(path.join(folder, 'elsewhere-'));
    symlinkSync(elsewhere, path.join(workspace, 'attachments'));
    await expect(read()).rejects.toThrow('not in the workspace');
    expect(readdirSync(elsewhere)).toEqual([]);
  });
});
