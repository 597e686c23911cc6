import { PlexusError } from '@plexus/kernel';
import { ATTACHMENT_POLICY, messageWith, readAttachments, type SentAttachment, servedType } from './attachments.js';

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.from([0, 0, 0, 13])]);
const base64 = (content: string | Buffer): string => Buffer.from(content as string).toString('base64');

function refusal(sent: readonly SentAttachment[]): PlexusError {
  try {
    readAttachments(sent);
  } catch (error) {
    if (PlexusError.isPlexusError(error)) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('attachments of a message', () => {
  it('are told by their bytes, not by what they are called', () => {
    expect(readAttachments([{ content: base64(PNG), mimeType: 'text/plain', fileName: 'x.txt' }])).toEqual([
      { name: 'x.txt', mimeType: 'image/png', content: PNG },
    ]);
    expect(readAttachments([{ content: base64('hallo'), mimeType: 'image/png' }])).toMatchObject([{ name: 'attachment-1.txt', mimeType: 'text/plain' }]);
    expect(readAttachments([{ content: base64('{}'), mimeType: 'Application/JSON; charset=utf-8' }])).toMatchObject([{ mimeType: 'application/json' }]);
  });

  it('are no pictures when they are text, and are never handed out as something that a browser runs', () => {
    const [drawing] = readAttachments([{ content: base64('<svg onload="alert(1)"/>'), mimeType: 'image/svg+xml', fileName: 'a.svg' }]);
    expect(drawing).toMatchObject({ name: 'a.svg', mimeType: 'text/plain' });
    expect(['image/png', 'image/svg+xml', 'text/html', 'image/x\r\nx: y', 'constructor'].map(servedType)).toEqual([
      'image/png',
      ...Array.from({ length: 4 }, () => 'text/plain; charset=utf-8'),
    ]);
  });

  it('come with a data prefix or as models take them', () => {
    expect(readAttachments([{ content: `data:text/csv;charset=utf-8;base64,${base64('a;b')}` }])[0]).toMatchObject({
      mimeType: 'text/csv',
      content: Buffer.from('a;b'),
    });
    expect(readAttachments([{ source: { media_type: 'image/png', data: base64(PNG) } }])[0]).toMatchObject({ mimeType: 'image/png', name: 'attachment-1.png' });
  });

  it.each([
    ['no content', {}, 'INVALID_REQUEST'],
    ['nothing', { content: '' }, 'INVALID_REQUEST'],
    ['only padding', { content: '==' }, 'INVALID_REQUEST'],
    ['no base64', { content: 'a?b=' }, 'INVALID_REQUEST'],
    ['base64 of the wrong length', { content: 'abcde' }, 'INVALID_REQUEST'],
    ['a PDF', { content: base64('%PDF-1.7 abc') }, 'UNSUPPORTED_ATTACHMENT'],
    ['bytes that are neither', { content: base64(Buffer.from([0xfe, 0xff, 0x00])) }, 'UNSUPPORTED_ATTACHMENT'],
    ['text with U+0000', { content: base64('a\0b') }, 'UNSUPPORTED_ATTACHMENT'],
    ['too much text', { content: base64(Buffer.alloc(ATTACHMENT_POLICY.maxBytes + 1, 'a')) }, 'PAYLOAD_TOO_LARGE'],
    ['too large a picture', { content: base64(Buffer.concat([PNG, Buffer.alloc(ATTACHMENT_POLICY.maxImageBytes)])) }, 'PAYLOAD_TOO_LARGE'],
  ])('%s is refused with its code and place', (_title, sent, code) => {
    expect(refusal([{ content: base64('fine') }, sent])).toMatchObject({ code, details: { issues: [{ path: '/attachments/1' }] } });
  });

  it('are bounded in number and together', () => {
    expect(refusal(Array.from({ length: 9 }, () => ({ content: base64('x') }))).code).toBe('PAYLOAD_TOO_LARGE');
    const large = { content: base64(Buffer.concat([PNG, Buffer.alloc(4 * 1024 * 1024)])) };
    expect(readAttachments([large, large])).toHaveLength(2);
    expect(refusal([large, large, large]).code).toBe('PAYLOAD_TOO_LARGE');
  });

  it('have names that no file system objects to', () => {
    const named = (fileName: string) => readAttachments([{ content: base64('x'), fileName }])[0]?.name;
    expect(named('../../etc/passwd')).toBe('passwd');
    expect(named('C:\\notes\\a\u0000b.txt')).toBe('ab.txt');
    expect(named('..')).toBe('attachment-1.txt');
    expect(named(`${'x'.repeat(500)}.md`)).toMatch(/^x{197}\.md$/);
    // What the contract takes is counted in UTF-16 units.
    expect(named(`${'😀'.repeat(300)}.md`)).toBe(`\ufffd${'😀'.repeat(98)}.md`);
  });

  it('may be all that a message says', () => {
    const files = readAttachments([{ content: base64('x'), fileName: 'a.txt' }]);
    expect(messageWith('look', files)).toBe('look');
    expect(messageWith('', files)).toBe('a.txt');
    expect(() => messageWith('', [])).toThrow('/message');
  });
});
