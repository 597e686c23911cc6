import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';
import { isPlainObject } from '../load/merge.js';

/** Path of a change of the document as a whole. */
export const ROOT_PATH = '<root>';

/**
 * The dotted paths at which two documents differ, sorted. Objects are compared member by member; lists as a whole, and reported at the
 * path of the list; a change of kind is reported where it happens. A member that is undefined counts as absent.
 */
export function diffPaths(before: unknown, after: unknown): string[] {
  const paths: string[] = [];
  const pending: { before: unknown; after: unknown; path: string }[] = [{ before, after, path: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path } = next;
    if (Object.is(next.before, next.after)) continue;
    if (isPlainObject(next.before) && isPlainObject(next.after)) {
      for (const key of new Set([...Object.keys(next.before), ...Object.keys(next.after)])) {
        pending.push({ before: own(next.before, key), after: own(next.after, key), path: path === '' ? key : `${path}.${key}` });
      }
    } else if (!sameValue(next.before, next.after)) {
      paths.push(path === '' ? ROOT_PATH : path);
    }
  }
  return [...new Set(paths)].sort();
}

/** SHA-256 of a document in hex; equal for equal documents, whatever the order of their keys. */
export function configHash(document: unknown): string {
  return createHash('sha256').update(stableStringify(document)).digest('hex');
}

function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  return Array.isArray(a) === Array.isArray(b) && stableStringify(a) === stableStringify(b);
}
