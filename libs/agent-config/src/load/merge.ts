import { FORBIDDEN_KEYS } from '@plexus/kernel';

const forbidden = new Set(FORBIDDEN_KEYS);

/** A document's object: not a list, not null, no class of its own. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Not compared with Object.prototype: values from a worker or another context have one of their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Keys that reach into prototypes are never copied. */
export function isForbiddenKey(key: string): boolean {
  return forbidden.has(key);
}

/**
 * Lays `later` over `earlier`: objects are merged key by key, lists are concatenated, of anything else the later one stays. Associative
 * as long as each path holds the same kind of value (object, list, or other) in all documents: files can then be grouped at will.
 */
export function mergeIncludes(earlier: unknown, later: unknown): unknown {
  if (Array.isArray(earlier) && Array.isArray(later)) return [...earlier, ...later];
  if (!isPlainObject(earlier) || !isPlainObject(later)) return later;
  const merged: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(earlier), ...Object.keys(later)])) {
    if (isForbiddenKey(key)) continue;
    if (!Object.hasOwn(later, key)) merged[key] = earlier[key];
    else merged[key] = Object.hasOwn(earlier, key) ? mergeIncludes(earlier[key], later[key]) : later[key];
  }
  return merged;
}
