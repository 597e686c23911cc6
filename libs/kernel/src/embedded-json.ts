import { scanJson } from './json-scanner.js';
import { type JsonLimits, parseJson } from './safe-json.js';

/**
 * Consumes the one JSON value that begins at `from` (after white space) out of a longer text; `end` is where the rest begins.
 * Undefined when no acceptable value begins there; the limits are those of `parseJson`.
 */
export function scanJsonValue(text: string, from = 0, limits: JsonLimits = {}): { value: unknown; end: number } | undefined {
  const outcome = scanJson(text, from, limits.maxDepth ?? 64);
  if (!('end' in outcome)) return undefined;
  const parsed = parseJson(text.slice(from, outcome.end), limits);
  return parsed.ok ? { value: parsed.value, end: outcome.end } : undefined;
}

/** Openers that are tried before giving up: bounds the work on texts like `[[[[[…`. */
const MAX_CANDIDATES = 32;

/** The first JSON object or array anywhere in a text, with its place. Tries at most 32 openers. */
export function findJsonValue(text: string, from = 0, limits: JsonLimits = {}): { value: unknown; start: number; end: number } | undefined {
  const opener = /[{[]/g;
  opener.lastIndex = from;
  for (let tried = 0; tried < MAX_CANDIDATES; tried++) {
    const match = opener.exec(text);
    if (!match) return undefined;
    const found = scanJsonValue(text, match.index, limits);
    if (found) return { ...found, start: match.index };
  }
  return undefined;
}
