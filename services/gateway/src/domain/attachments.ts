import { plexusError, routingContracts } from '@plexus/contracts';
import { toStorableText } from '@plexus/kernel';

/** As a client sends one: base64 in `content`, or as models take it in `source`. */
export interface SentAttachment {
  readonly mimeType?: string | undefined;
  readonly fileName?: string | undefined;
  readonly content?: string | undefined;
  readonly source?: { readonly media_type?: string | undefined; readonly data: string } | undefined;
}

/** A file that a message brings along. */
export interface AttachedFile {
  readonly name: string;
  readonly mimeType: string;
  readonly content: Buffer;
}

/** Said to every client in `policy.attachments`: `maxBytes` is for text, pictures have a limit of their own. */
export const ATTACHMENT_POLICY = { maxBytes: 2 * 1024 * 1024, maxImageBytes: 5 * 1024 * 1024 } as const;

const { count: MAX_COUNT, bytes: MAX_TOTAL } = routingContracts.ATTACHMENT_LIMITS;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const MIME = /^[a-z0-9][a-z0-9.+-]{0,62}\/[a-z0-9][a-z0-9.+-]{0,62}$/;
/** In UTF-16 units, as the contract counts. */
const MAX_NAME = 200;
const EXTENSION: Readonly<Record<string, string>> = { 'image/png': '.png', 'image/jpeg': '.jpg', 'image/gif': '.gif', 'image/webp': '.webp' };

/**
 * Reads what came with a message: text (whatever it is called) and PNG, JPEG, GIF and WebP pictures, each told by its bytes. Throws INVALID_REQUEST,
 * PAYLOAD_TOO_LARGE or UNSUPPORTED_ATTACHMENT, with the place in `details.issues`.
 */
export function readAttachments(sent: readonly SentAttachment[]): AttachedFile[] {
  if (sent.length > MAX_COUNT) throw refused('PAYLOAD_TOO_LARGE', `a message takes ${MAX_COUNT} attachments`, '/attachments');
  const files = sent.map(readOne);
  const total = files.reduce((sum, { content }) => sum + content.length, 0);
  if (total > MAX_TOTAL) throw refused('PAYLOAD_TOO_LARGE', `the attachments have ${total} bytes, ${MAX_TOTAL} are allowed`, '/attachments');
  return files;
}

function readOne(sent: SentAttachment, index: number): AttachedFile {
  const at = `/attachments/${index}`;
  const { declared, content } = decode(sent, at);
  const picture = pictureType(content);
  const maxBytes = picture === undefined ? ATTACHMENT_POLICY.maxBytes : ATTACHMENT_POLICY.maxImageBytes;
  if (content.length > maxBytes) throw refused('PAYLOAD_TOO_LARGE', `the attachment has ${content.length} bytes, ${maxBytes} are allowed`, at);
  if (picture === undefined && !isText(content)) {
    throw refused('UNSUPPORTED_ATTACHMENT', `only text and PNG, JPEG, GIF or WebP pictures are taken, this is ${declared ?? 'something else'}`, at);
  }
  // Whatever a text says of itself, it is no picture (SVG neither): models refuse it, and browsers would run what is in it.
  const mimeType = picture ?? (declared === undefined || declared.startsWith('image/') ? 'text/plain' : declared);
  return { name: nameOf(sent.fileName) ?? `attachment-${index + 1}${EXTENSION[mimeType] ?? '.txt'}`, mimeType, content };
}

function decode({ content, source, mimeType }: SentAttachment, at: string): { declared: string | undefined; content: Buffer } {
  const text = content ?? source?.data;
  if (text === undefined || text === '') throw refused('INVALID_REQUEST', 'the attachment has no content', at);
  const prefix = /^data:([^,;]{0,128})[^,]{0,256};base64,/.exec(text.slice(0, 512));
  const base64 = prefix === null ? text : text.slice(prefix[0].length);
  const [declared] = [mimeType, source?.media_type, prefix?.[1]]
    .map((type) => type?.split(';')[0]?.trim().toLowerCase())
    .filter((type) => type !== undefined && MIME.test(type));
  // Looked at before it is decoded: what is too large anyway is not copied.
  const bytes = Math.floor((base64.length * 3) / 4) - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
  if (bytes > ATTACHMENT_POLICY.maxImageBytes) {
    throw refused('PAYLOAD_TOO_LARGE', `the attachment has ${bytes} bytes, ${ATTACHMENT_POLICY.maxImageBytes} are allowed`, at);
  }
  if (!BASE64.test(base64) || bytes < 1 || base64.replace(/=+$/, '').length % 4 === 1) throw refused('INVALID_REQUEST', 'the content is not base64', at);
  const decoded = Buffer.from(base64, 'base64');
  if (decoded.length !== bytes) throw refused('INVALID_REQUEST', 'the content is not base64', at);
  return { declared, content: decoded };
}

function pictureType(content: Buffer): string | undefined {
  const head = content.subarray(0, 12).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'image/gif';
  return head.startsWith('RIFF') && head.slice(8) === 'WEBP' ? 'image/webp' : undefined;
}

function isText(content: Buffer): boolean {
  if (content.includes(0) || content.subarray(0, 5).toString('latin1') === '%PDF-') return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
    return true;
  } catch {
    // The only thing that decoding can object to: these bytes are no UTF-8.
    return false;
  }
}

/** The last part of the name, without what no file system or transcript takes. */
function nameOf(fileName: string | undefined): string | undefined {
  const last =
    (fileName ?? '')
      .replace(/[\u0000-\u001f\u007f]/g, '')
      .split(/[/\\]/)
      .at(-1) ?? '';
  // Cut at the front: the end says what it is. Half a character that is left there is replaced.
  const name = toStorableText(last.trim().slice(-MAX_NAME));
  return name === '' || name === '.' || name === '..' ? undefined : name;
}

function refused(code: 'INVALID_REQUEST' | 'PAYLOAD_TOO_LARGE' | 'UNSUPPORTED_ATTACHMENT', message: string, path: string): Error {
  return plexusError(code, { message: `${message} (at ${path})`, details: { issues: [{ path, message }] } });
}

/** How a file is handed out again: pictures as what they are, everything else as plain text, whatever its uploader called it. */
export function servedType(mimeType: string): string {
  return Object.hasOwn(EXTENSION, mimeType) ? mimeType : 'text/plain; charset=utf-8';
}

/** What a message says: its text, or when it has none the names of what it brings. Throws INVALID_REQUEST for one that has neither. */
export function messageWith(message: string, files: readonly AttachedFile[]): string {
  if (message !== '') return message;
  if (files.length > 0) return files.map(({ name }) => name).join(', ');
  throw plexusError('INVALID_REQUEST', {
    message: 'invalid params: at /message: a message has text or attachments',
    details: { issues: [{ path: '/message' }] },
  });
}
