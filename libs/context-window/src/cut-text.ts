/** The first `length` UTF-16 units, less one where that would split a surrogate pair. */
export function headOf(text: string, length: number): string {
  return text.slice(0, isHighSurrogate(text.charCodeAt(length - 1)) ? length - 1 : length);
}

/** The last `length` UTF-16 units, less one where that would split a surrogate pair. */
export function tailOf(text: string, length: number): string {
  const from = Math.max(0, text.length - length);
  return length <= 0 ? '' : text.slice(isLowSurrogate(text.charCodeAt(from)) && from > 0 ? from + 1 : from);
}

/** At most `length` units; what was cut is marked. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${headOf(text, Math.max(0, length - 1))}…`;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
