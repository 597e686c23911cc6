/** Where a strict JSON value ends, or where and why it does not. `end` is exclusive. */
export type ScanOutcome = { readonly end: number } | { readonly failedAt: number; readonly reason: 'syntax' | 'too_deep' };

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const WORD_CHARACTER = /[\w.]/;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** End of the string that opens at `from`, or minus one minus the offset of what is wrong. */
function scanString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < 0x20) return -1 - at;
    if (code !== 0x5c) continue;
    const escaped = text.charCodeAt(++at);
    if (escaped === 0x75) {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) return -1 - at;
      at += 4;
    } else if (Number.isNaN(escaped) || !'"\\/bfnrt'.includes(String.fromCharCode(escaped))) {
      return -1 - at;
    }
  }
  return -1 - text.length;
}

function scanScalar(text: string, from: number): number {
  if (text.charCodeAt(from) === 0x22) return scanString(text, from);
  for (const pattern of [NUMBER, LITERAL]) {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    // `01`, `1.` and `trueish` begin like a value but are none.
    if (match) return WORD_CHARACTER.test(text.charAt(pattern.lastIndex)) ? -1 - pattern.lastIndex : pattern.lastIndex;
  }
  return -1 - from;
}

/** Finds the end of the one JSON value at `from` (leading space allowed) without building it. Iterative: no input can overflow the stack. */
export function scanJson(text: string, from: number, maxDepth: number): ScanOutcome {
  const closers: string[] = [];
  let at = skipSpace(text, from);
  const fail = (failedAt: number): ScanOutcome => ({ failedAt, reason: 'syntax' });

  for (;;) {
    // Here a value is expected at `at`.
    const opener = text.charAt(at);
    if (opener === '{' || opener === '[') {
      if (closers.length >= maxDepth) return { failedAt: at, reason: 'too_deep' };
      const closer = opener === '{' ? '}' : ']';
      at = skipSpace(text, at + 1);
      if (text.charAt(at) === closer) {
        at++;
      } else {
        closers.push(closer);
        if (opener === '[') continue;
        const value = scanKey(text, at);
        if (value < 0) return fail(-1 - value);
        at = value;
        continue;
      }
    } else {
      const end = scanScalar(text, at);
      if (end < 0) return fail(-1 - end);
      at = end;
    }

    // Here a value has just ended: close what it completes, or go to the next one.
    for (;;) {
      const closer = closers.at(-1);
      if (closer === undefined) return { end: at };
      at = skipSpace(text, at);
      const next = text.charAt(at);
      if (next === closer) {
        closers.pop();
        at++;
        continue;
      }
      if (next !== ',') return fail(at);
      at = skipSpace(text, at + 1);
      if (closer === '}') {
        const value = scanKey(text, at);
        if (value < 0) return fail(-1 - value);
        at = value;
      }
      break;
    }
  }
}

/** From a key at `at` to the start of its value; minus one minus the offset when there is no key and colon. */
function scanKey(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x22) return -1 - at;
  const keyEnd = scanString(text, at);
  if (keyEnd < 0) return keyEnd;
  const colon = skipSpace(text, keyEnd);
  return text.charAt(colon) === ':' ? skipSpace(text, colon + 1) : -1 - colon;
}
