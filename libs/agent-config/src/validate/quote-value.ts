import { isSecretName, looksSecret } from '../secrets/secret-names.js';
import { isSecretRef } from '../secrets/secret-ref.js';

export const REDACTED = '[redacted]';
const MAX_TEXT = 120;
const MAX_MEMBERS = 8;
const MAX_DEPTH = 3;

/** The value at a path as an issue may show it: short, and without anything that may be a secret. Undefined where there is none. */
export function quoteValue(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[segment];
  }
  return redactValue(value, path.map(String));
}

/** A short copy of a value: secrets by name or by form are replaced, long texts cut, large objects counted. */
export function redactValue(value: unknown, path: readonly string[] = []): unknown {
  return copy(value, path.some(isSecretName), 0);
}

/** A copy of a value in full length: only secrets, by name or by form, are replaced. */
export function redactSecrets(value: unknown, path: readonly string[] = []): unknown {
  return copy(value, path.some(isSecretName), Number.NEGATIVE_INFINITY);
}

/** `depth` counts up from 0 for a short copy; from minus infinity nothing is ever too long. */
function copy(value: unknown, secret: boolean, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || value === undefined) return value;
  // A reference to a secret is what one should see; anything else under a secret's name is not.
  if (secret) return isSecretRef(value) && !(typeof value === 'object' && 'sealed' in value) ? value : REDACTED;
  if (typeof value === 'number') return value;
  const isShort = depth >= 0;
  if (typeof value === 'string') return looksSecret(value) ? REDACTED : isShort && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value !== 'object') return `[${typeof value}]`;
  const isTooLarge = (members: number): boolean => isShort && (depth >= MAX_DEPTH || members > MAX_MEMBERS);
  if (Array.isArray(value)) return isTooLarge(value.length) ? `[list of ${value.length}]` : value.map((inner) => copy(inner, false, depth + 1));
  const keys = Object.keys(value);
  if (isTooLarge(keys.length)) return `[object with ${keys.length} keys]`;
  return Object.fromEntries(keys.map((key) => [key, copy((value as Record<string, unknown>)[key], isSecretName(key), depth + 1)]));
}
