import { err, ok, type Result, stableStringify } from '@plexus/kernel';
import { configHash } from '../reload/diff-paths.js';
import { isForbiddenKey, isPlainObject } from './merge.js';

/** JSON merge patch (RFC 7396): null deletes, objects are merged, everything else replaces. Neither argument is changed. */
export function mergePatch(document: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return patch;
  const result: Record<string, unknown> = isPlainObject(document) ? { ...document } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (isForbiddenKey(key)) continue;
    if (value === null) delete result[key];
    else result[key] = mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

/** The patch that turns `before` into `after`: `mergePatch(before, diffPatch(before, after))` equals `after`. Neither may hold null, which a merge patch cannot write. */
export function diffPatch(before: unknown, after: unknown): unknown {
  if (!isPlainObject(before) || !isPlainObject(after)) return after;
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) patch[key] = value;
    else if (stableStringify(before[key]) !== stableStringify(value)) patch[key] = replacement(before[key], value);
  }
  return patch;
}

/** An object replaces a value of another kind as it is: a merge patch makes it from nothing. */
function replacement(before: unknown, after: unknown): unknown {
  return isPlainObject(before) && isPlainObject(after) ? diffPatch(before, after) : after;
}

/** Why a patch was not applied: the document is no longer the one that its author saw. */
export interface StalePatch {
  readonly code: 'stale_base';
  readonly message: string;
  readonly currentHash: string;
}

/** Applies a patch, if the document is still the one with the hash `baseHash`. Without a base hash the patch is applied to whatever is there. */
export function applyPatch(document: unknown, patch: unknown, baseHash?: string): Result<{ document: unknown; hash: string }, StalePatch> {
  const currentHash = configHash(document);
  if (baseHash !== undefined && baseHash !== currentHash) {
    return err({ code: 'stale_base', message: 'the configuration has changed since the patch was made; read it again and repeat', currentHash });
  }
  const patched = mergePatch(document, patch);
  return ok({ document: patched, hash: configHash(patched) });
}
