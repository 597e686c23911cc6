import { scanJson } from './json-scanner.js';
import { err, ok, type Result } from './result.js';

export interface JsonLimits {
  /** Size of the text in UTF-8; no limit unless given. */
  readonly maxBytes?: number;
  /** Nested objects and arrays; 64 unless given. */
  readonly maxDepth?: number;
  /** Keys in one object; 10 000 unless given. */
  readonly maxKeys?: number;
  /** Keys that are refused at any depth; `FORBIDDEN_KEYS` unless given. */
  readonly forbiddenKeys?: readonly string[];
  /**
   * `storable` refuses strings with U+0000 or lone surrogates: legal JSON, but PostgreSQL cannot hold them and UTF-8 cannot carry
   * them. `any` (the default) lets them through unchanged.
   */
  readonly strings?: 'any' | 'storable';
}

export type JsonProblemCode = 'empty' | 'too_large' | 'not_utf8' | 'syntax' | 'too_deep' | 'too_many_keys' | 'forbidden_key' | 'unstorable_text';

/** Why a text was refused. The message holds sizes, offsets and limits, never content: it may be logged and shown. */
export interface JsonProblem {
  readonly code: JsonProblemCode;
  readonly message: string;
  /** Character at which the text stops being JSON. */
  readonly offset?: number;
}

/** Keys that reach into prototypes when a careless merge copies them. */
export const FORBIDDEN_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];

const UNSTORABLE = /\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const UNSTORABLE_EACH = new RegExp(UNSTORABLE, 'g');
const decoder = new TextDecoder('utf-8', { fatal: true });

const problem = (code: JsonProblemCode, message: string, offset?: number): { ok: false; error: JsonProblem } =>
  err(offset === undefined ? { code, message } : { code, message, offset });

/** True when the string has neither U+0000 nor a lone surrogate, so that every database and every UTF-8 peer can keep it. */
export function isStorableText(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** Replaces U+0000 and lone surrogates by U+FFFD. */
export function toStorableText(text: string): string {
  return text.replace(UNSTORABLE_EACH, '\ufffd');
}

/** Parses JSON that comes from outside. Strict RFC 8259 (one leading byte order mark is ignored); never throws, whatever comes in. */
export function parseJson(input: string | Uint8Array, limits: JsonLimits = {}): Result<unknown, JsonProblem> {
  const { maxBytes = Number.POSITIVE_INFINITY, maxDepth = 64 } = limits;
  const bytes = sizeOf(input, maxBytes);
  if (bytes > maxBytes) return problem('too_large', `the JSON text has more than ${maxBytes} bytes`);

  let text: string;
  if (typeof input === 'string') {
    text = input.charCodeAt(0) === 0xfeff ? input.slice(1) : input;
  } else {
    try {
      text = decoder.decode(input);
    } catch {
      return problem('not_utf8', 'the JSON text is not valid UTF-8');
    }
  }
  if (/^[ \t\r\n]*$/.test(text)) return problem('empty', 'there is no JSON text');

  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's own message quotes the text; the scanner tells where, without telling what.
    return explain(text, maxDepth);
  }
  return checkTree(value, limits) ?? ok(value);
}

function sizeOf(input: string | Uint8Array, maxBytes: number): number {
  if (typeof input !== 'string') return input.byteLength;
  // A character is at least one byte and at most three: most texts need no count.
  if (input.length > maxBytes || input.length * 3 <= maxBytes) return input.length;
  return Buffer.byteLength(input);
}

function explain(text: string, maxDepth: number): { ok: false; error: JsonProblem } {
  const outcome = scanJson(text, 0, maxDepth);
  if ('failedAt' in outcome && outcome.reason === 'too_deep') return tooDeep(maxDepth);
  const offset = 'end' in outcome ? outcome.end : outcome.failedAt;
  return problem('syntax', `the text stops being JSON at character ${offset} of ${text.length}`, offset);
}

const tooDeep = (maxDepth: number): { ok: false; error: JsonProblem } => problem('too_deep', `the JSON value is nested deeper than ${maxDepth} levels`);

/** Walks the value level by level (no recursion, so no depth can hurt) and returns the first violation. */
function checkTree(root: unknown, limits: JsonLimits): { ok: false; error: JsonProblem } | undefined {
  const { maxDepth = 64, maxKeys = 10_000, forbiddenKeys = FORBIDDEN_KEYS, strings = 'any' } = limits;
  const forbidden = new Set(forbiddenKeys);
  const unstorable = (text: unknown): boolean => strings === 'storable' && typeof text === 'string' && UNSTORABLE.test(text);
  const refuseText = problem('unstorable_text', 'a string holds U+0000 or a lone surrogate, which cannot be stored');

  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    const below: unknown[] = [];
    for (const value of level) {
      if (unstorable(value)) return refuseText;
      if (value === null || typeof value !== 'object') continue;
      if (depth >= maxDepth) return tooDeep(maxDepth);
      if (Array.isArray(value)) {
        for (const item of value) if (item !== null && (typeof item === 'object' || strings === 'storable')) below.push(item);
        continue;
      }
      const keys = Object.keys(value);
      if (keys.length > maxKeys) return problem('too_many_keys', `an object has more than ${maxKeys} keys`);
      for (const key of keys) {
        if (forbidden.has(key)) return problem('forbidden_key', `the key ${key} is not accepted at any depth`);
        if (unstorable(key)) return refuseText;
        const item = (value as Record<string, unknown>)[key];
        if (item !== null && (typeof item === 'object' || strings === 'storable')) below.push(item);
      }
    }
    level = below;
  }
  return undefined;
}
