import { plexusError } from '@plexus/contracts';
import { isStorableText, toStorableText } from '@plexus/kernel';

/** What one text may weigh as JSON, so that every event and answer that carries it stays below the 1 MiB of a NATS message. */
export const MAX_TEXT_BYTES = 512 * 1024;
const CUT_MARK = '\n\n[cut: the answer was longer than a transcript keeps]';

/** Bytes of a text inside a JSON document. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** Throws INVALID_REQUEST for text that no database stores unchanged, PAYLOAD_TOO_LARGE for more than a transcript keeps. */
export function requireStorable(text: string, field: string): void {
  if (!isStorableText(text)) throw plexusError('INVALID_REQUEST', { message: 'The text must be well-formed Unicode without U+0000.', details: { field } });
  const bytes = jsonBytes(text);
  if (bytes > MAX_TEXT_BYTES) throw plexusError('PAYLOAD_TOO_LARGE', { details: { field, bytes, maxBytes: MAX_TEXT_BYTES } });
}

/** An agent's answer as the transcript keeps it: what cannot be stored is replaced, what is too long is cut and says so. */
export function toTranscriptText(answer: string): string {
  // A character weighs at least one byte: what lies behind the limit need not be looked at.
  const text = toStorableText(answer.slice(0, MAX_TEXT_BYTES + 1));
  if (jsonBytes(text) <= MAX_TEXT_BYTES) return text;
  let [fits, tooLong] = [0, text.length];
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (jsonBytes(text.slice(0, middle)) + jsonBytes(CUT_MARK) <= MAX_TEXT_BYTES) fits = middle;
    else tooLong = middle;
  }
  return toStorableText(text.slice(0, fits)) + CUT_MARK;
}
