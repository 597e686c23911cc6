import { routingContracts } from '@plexus/contracts';
import { type Attached, admit, checkFile, isPicture, kindOf, limitsOf, MESSAGE_LIMITS, textBeside } from './attachments.js';

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const limits = { maxBytes: 10, maxImageBytes: 20, maxTotalBytes: 30, maxCount: 3 };
const PNG = '\x89PNG\r\n\x1a\n';
const check = (content: string, name = 'a', type = '') => checkFile(new File([bytes(content)], name, { type }), limits, 'id');
const waiting = (id: string, size: number): Attached => ({ id, name: id, blob: new Blob(['x'.repeat(size)]), picture: false });

describe('files that come with a message', () => {
  it('are told by their bytes, as the gateway does', () => {
    const kinds = [`${PNG}x`, '\xff\xd8\xffx', 'GIF89ax', 'RIFF1234WEBPx', 'plain', '<svg onload=x>', '%PDF-1.7', 'PK\x03\x04\x00', '\xff\xfe', ''];
    expect(kinds.map((kind) => kindOf(bytes(kind)))).toEqual([
      'image/png',
      'image/jpeg',
      'image/gif',
      'image/webp',
      'text/plain',
      'text/plain',
      undefined,
      undefined,
      undefined,
      'text/plain',
    ]);
    expect(['image/png', 'image/svg+xml', 'text/html'].map(isPicture)).toEqual([true, false, false]);
  });

  it('have the limits that the hello says; a small frame takes less, and without a policy there is none', () => {
    const attachments = { maxBytes: 2, maxImageBytes: 5 };
    expect(limitsOf({ maxPayload: 26_214_400, attachments })).toEqual({ ...attachments, maxTotalBytes: MESSAGE_LIMITS.bytes, maxCount: MESSAGE_LIMITS.count });
    expect(limitsOf({ maxPayload: 1_300_400, attachments })?.maxTotalBytes).toBe(300);
    expect(limitsOf({ maxPayload: 65_536, attachments })?.maxTotalBytes).toBe(0);
    expect([limitsOf({ maxPayload: 1 }), limitsOf(undefined)]).toEqual([undefined, undefined]);
    expect(MESSAGE_LIMITS).toEqual(routingContracts.ATTACHMENT_LIMITS);
  });

  it('are refused one by one, each with its reason', async () => {
    expect(await check('PK\x03\x04\x00', 'a.zip')).toEqual({ refusal: { id: 'id', name: 'a.zip', reason: 'kind' } });
    expect(await check('')).toMatchObject({ refusal: { reason: 'empty' } });
    expect(await check('x'.repeat(11))).toMatchObject({ refusal: { reason: 'tooLarge', limit: 10 } });
    expect(await check(PNG.padEnd(21))).toMatchObject({ refusal: { reason: 'tooLarge', limit: 10 } });
    expect(await check(PNG.padEnd(21), 'a.png', 'image/png')).toMatchObject({ refusal: { reason: 'tooLarge', limit: 20 } });
    const gone = { name: 'folder', size: 4, type: '', arrayBuffer: () => Promise.reject(new Error('it is a folder')) } as unknown as File;
    expect(await checkFile(gone, limits, 'id')).toMatchObject({ refusal: { name: 'folder', reason: 'unreadable' } });
  });

  it('are kept as they were chosen, a picture by what it is and never as a page', async () => {
    const picture = await check(PNG.padEnd(20), 'b.txt', 'text/plain');
    expect(picture).toMatchObject({ file: { name: 'b.txt', picture: true, blob: { type: 'image/png', size: 20 } } });
    expect(await check('a,b', 't.csv', 'text/csv')).toMatchObject({ file: { picture: false, blob: { type: 'text/csv' } } });
    expect(await check('<svg>', 'd.svg', 'image/svg+xml')).toMatchObject({ file: { picture: false, blob: { type: 'text/plain' } } });
  });

  it('are taken in their order as far as one message goes', () => {
    const refused = { id: 'z', name: 'z.zip', reason: 'kind' } as const;
    const first = admit([waiting('a', 20)], [{ file: waiting('b', 11) }, { refusal: refused }, { file: waiting('c', 10) }], limits);
    expect([first.files.map(({ id }) => id), first.refusals]).toEqual([
      ['a', 'c'],
      [{ id: 'b', name: 'b', reason: 'total', limit: 30 }, refused],
    ]);
    const full = admit([waiting('a', 1), waiting('b', 1), waiting('c', 1)], [{ file: waiting('d', 1) }], limits);
    expect([full.files.length, full.refusals]).toEqual([3, [{ id: 'd', name: 'd', reason: 'tooMany', limit: 3 }]]);
  });

  it('have no text that only says their names', () => {
    const files = [{ name: 'a.png' }, { name: 'b.txt' }];
    expect([textBeside('a.png, b.txt', files), textBeside('Look', files), textBeside('Look', [])]).toEqual(['', 'Look', 'Look']);
  });
});
