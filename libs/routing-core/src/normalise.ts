/** A key part as it stands already, and one that only its case is wrong with. */
const NORMAL_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const PLAIN_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/i;
const MAX_ID_LENGTH = 64;
/** What a cut may leave behind. It stays as it is: cleaning it once more would take a last `-` away and make it another id. */
const CUT_ID = /^_[a-z0-9_-]{62}-$/;
const PROTOTYPE_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

export const DEFAULT_AGENT_ID = 'main';
export const DEFAULT_ACCOUNT_ID = 'default';
export const DEFAULT_MAIN_KEY = 'main';
export const UNKNOWN_PART = 'unknown';

/** Text or nothing: what configuration and callers may hand in. Finite numbers are written out, everything else counts as absent. */
export type Loose = string | number | bigint | null | undefined;

/** Trimmed text; empty when absent, and for whatever garbage stands where text belongs. */
export function trimmed(value: Loose): string {
  if (typeof value === 'string') return hasOuterBlanks(value) ? value.trim() : value;
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value)) ? String(value) : '';
}

/** Whether trimming could change a text. Nearly all texts begin and end in plain ASCII, and this is cheaper than trimming them. */
function hasOuterBlanks(text: string): boolean {
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return !(first > 32 && first < 127 && last > 32 && last < 127);
}

export function lowered(value: Loose): string {
  return trimmed(value).toLowerCase();
}

/**
 * Lower-cases and cleans an identifier. The cut to 64 characters comes last, so a cut id may end in `-`; a leading `_` survives.
 */
function cleanId(value: Loose, fallback: string): string {
  const text = trimmed(value);
  if (text === '') return fallback;
  if (NORMAL_ID.test(text)) return text;
  if (PLAIN_ID.test(text)) return text.toLowerCase();
  if (CUT_ID.test(text)) return text;
  const cleaned = text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+/, '')
    .replace(/-+$/, '')
    .slice(0, MAX_ID_LENGTH);
  return cleaned === '' ? fallback : cleaned;
}

/** Agent id as it stands in session keys; `main` when nothing is left. */
export function normaliseAgentId(value: Loose): string {
  return cleanId(value, DEFAULT_AGENT_ID);
}

/** Account id as it stands in session keys and in comparisons; `default` when nothing is left and for names of `Object.prototype`. */
export function normaliseAccountId(value: Loose): string {
  if (value === undefined || value === DEFAULT_ACCOUNT_ID) return DEFAULT_ACCOUNT_ID;
  const id = cleanId(value, DEFAULT_ACCOUNT_ID);
  return PROTOTYPE_NAMES.has(id) ? DEFAULT_ACCOUNT_ID : id;
}

/** Name of the main session: trimmed and lower-cased, not cleaned. */
export function normaliseMainKey(value: Loose): string {
  return lowered(value) || DEFAULT_MAIN_KEY;
}

/**
 * Thread id as it stands in keys and envelopes, letter case kept: numbers lose their fraction, what is no finite number counts as absent.
 */
export function normaliseThreadId(value: Loose): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(Math.trunc(value)) : undefined;
  return trimmed(value) || undefined;
}

/** Channel id as it stands in keys. Aliases are not resolved here. */
export function normaliseChannel(value: Loose): string {
  return lowered(value) || UNKNOWN_PART;
}

/** True when a given agent id needs no cleaning apart from case. */
export function isValidAgentId(value: Loose): boolean {
  return PLAIN_ID.test(trimmed(value));
}

const CHANNEL_ALIASES: ReadonlyMap<string, string> = new Map([
  ['imsg', 'imessage'],
  ['google-chat', 'googlechat'],
  ['gchat', 'googlechat'],
]);

/** Channel id with the short names that people use resolved; empty for blank. For account lists, not for keys. */
export function resolveChannelAlias(value: Loose): string {
  const channel = lowered(value);
  return CHANNEL_ALIASES.get(channel) ?? channel;
}

/** The elements of a list in a configuration; none when something else stands there. */
export function listOf<T>(value: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(value) ? value : [];
}
