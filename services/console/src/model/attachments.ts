/** What is told of a file that a message brought along. */
export interface AttachmentInfo {
  readonly attachmentId: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: number;
}

/** What the gateway takes: `maxBytes` is for text, pictures have a limit of their own. */
export interface AttachmentLimits {
  readonly maxBytes: number;
  readonly maxImageBytes: number;
  /** Of one message, all its files together. */
  readonly maxTotalBytes: number;
  readonly maxCount: number;
}

/** A file that waits to be sent: as it was when it was chosen, whatever becomes of it on the disk. */
export interface Attached {
  readonly id: string;
  readonly name: string;
  readonly blob: Blob;
  readonly picture: boolean;
}

/** Why a file is not taken, with what the sentence about it says. */
export interface Refusal {
  readonly id: string;
  readonly name: string;
  readonly reason: 'kind' | 'empty' | 'unreadable' | 'tooLarge' | 'tooMany' | 'total';
  /** In bytes; of `tooMany` the number of files. */
  readonly limit?: number;
}

export type Checked = { readonly file: Attached } | { readonly refusal: Refusal };

/** As the contract of routing has it (`ATTACHMENT_LIMITS`); the hello says nothing of them. */
export const MESSAGE_LIMITS = { count: 8, bytes: 10 * 1024 * 1024 } as const;
/** What else a frame with a message in it holds: the longest text, as JSON at its worst. */
const FRAME_REST_BYTES = 1_300_000;
const PICTURES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** Reads the policy of a hello; undefined: this gateway takes no files. */
export function limitsOf(
  policy:
    | { readonly maxPayload?: number | undefined; readonly attachments?: { readonly maxBytes: number; readonly maxImageBytes: number } | undefined }
    | undefined,
): AttachmentLimits | undefined {
  if (policy?.attachments === undefined) return undefined;
  const { maxBytes, maxImageBytes } = policy.attachments;
  // As base64, four bytes for three.
  const framed = Math.max(0, Math.floor((((policy.maxPayload ?? Number.POSITIVE_INFINITY) - FRAME_REST_BYTES) * 3) / 4));
  return { maxBytes, maxImageBytes, maxTotalBytes: Math.min(MESSAGE_LIMITS.bytes, framed), maxCount: MESSAGE_LIMITS.count };
}

/** True for the kinds that every browser draws and that hold nothing but a picture; SVG is text with scripts in it. */
export const isPicture = (mimeType: string): boolean => PICTURES.has(mimeType);

/** What bytes are, as the gateway sees it: the type of a picture, text, or something that it does not take. */
export function kindOf(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'image/gif';
  if (head.startsWith('RIFF') && head.slice(8) === 'WEBP') return 'image/webp';
  return isText(bytes, head) ? 'text/plain' : undefined;
}

function isText(bytes: Uint8Array, head: string): boolean {
  if (bytes.includes(0) || head.startsWith('%PDF-')) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    // The only thing that decoding can object to: these bytes are no UTF-8.
    return false;
  }
}

/** Looks at one file by itself. What is too large for anything is not read. */
export async function checkFile(file: File, limits: AttachmentLimits, id: string): Promise<Checked> {
  const refuse = (reason: Refusal['reason'], limit?: number): Checked => ({
    refusal: { id, name: file.name, reason, ...(limit === undefined ? {} : { limit }) },
  });
  const most = Math.max(limits.maxBytes, limits.maxImageBytes);
  if (file.size > most) return refuse('tooLarge', file.type.startsWith('image/') ? limits.maxImageBytes : limits.maxBytes);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    // A folder, or a file that has gone: there is one sentence for all of it.
    return refuse('unreadable');
  }
  if (bytes.length === 0) return refuse('empty');
  const kind = kindOf(bytes);
  if (kind === undefined) return refuse('kind');
  const picture = isPicture(kind);
  const limit = picture ? limits.maxImageBytes : limits.maxBytes;
  if (bytes.length > limit) return refuse('tooLarge', limit);
  const type = picture || !/^text\/[a-z0-9.+-]+$|^application\/json$/.test(file.type) ? kind : file.type;
  return { file: { id, name: file.name, blob: new Blob([bytes], { type }), picture } };
}

/** Puts files to those that wait already, in their order, as far as one message takes them. */
export function admit(
  before: readonly Attached[],
  checked: readonly Checked[],
  { maxCount, maxTotalBytes }: AttachmentLimits,
): { readonly files: readonly Attached[]; readonly refusals: readonly Refusal[] } {
  const files = [...before];
  const refusals: Refusal[] = [];
  let total = files.reduce((sum, { blob }) => sum + blob.size, 0);
  for (const one of checked) {
    if ('refusal' in one) refusals.push(one.refusal);
    else if (files.length >= maxCount) refusals.push({ id: one.file.id, name: one.file.name, reason: 'tooMany', limit: maxCount });
    else if (total + one.file.blob.size > maxTotalBytes) refusals.push({ id: one.file.id, name: one.file.name, reason: 'total', limit: maxTotalBytes });
    else {
      files.push(one.file);
      total += one.file.blob.size;
    }
  }
  return { files, refusals };
}

/** The text of a message beside its files; a message without one is stored with their names, which stand below it anyway. */
export function textBeside(text: string, files: readonly { readonly name: string }[]): string {
  return files.length > 0 && text === files.map(({ name }) => name).join(', ') ? '' : text;
}
