import { isStorableText, toStorableText } from '@plexus/kernel';
import { foldText } from './tokeniser.js';

/** Content that is kept as it was given, save what Postgres cannot hold: U+0000 and half surrogate pairs become U+FFFD. */
export function storedText(text: string): string {
  return toStorableText(text);
}

/**
 * Two contents with the same form are one memory. Canonical equivalence only: NFKC would merge `10²` with `102`, and the second
 * writer's acknowledged memory would be gone.
 */
export function identityForm(text: string): string {
  return toStorableText(text).normalize('NFC').replaceAll('\r\n', '\n').trim();
}

/** A query and a content with the same form are equal, and score 1: case, width and white space do not matter when searching. */
export function equalityForm(text: string): string {
  return foldText(text).toLowerCase().replace(/\s+/gu, ' ').trim();
}

/** JSON that Postgres accepts as jsonb: the same value with the same replacement in every string and key. */
export function storedJson(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value);
  if (Array.isArray(value)) return value.map(storedJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [toStorableText(key), storedJson(entry)]));
}

/** True for text that may identify something: it is stored byte for byte or refused, never altered, and must fit an index row. */
export function isIdentifier(text: string, maxBytes: number): boolean {
  return isStorableText(text) && Buffer.byteLength(text) <= maxBytes;
}

/** Cuts text so that it takes at most `maxBytes` in UTF-8, never inside a character. */
export function cutText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
