import { toStorableText } from '@plexus/kernel';
import { headAndTail } from './bounded-text.js';

const MAX_TEXT = 16_384;
const MAX_ENTRIES = 1_000;
const MAX_DEPTH = 16;

/** A value of a tool as it may be shown: bounded, plain JSON, and without anything that a database cannot hold. */
export function shownValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return toStorableText(headAndTail(value, MAX_TEXT));
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') return null;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((one) => shownValue(one, depth + 1));
  const entries = Object.entries(value).slice(0, MAX_ENTRIES);
  return Object.fromEntries(entries.map(([name, one]) => [toStorableText(name.slice(0, MAX_TEXT)), shownValue(one, depth + 1)]));
}
