import { isDeepStrictEqual } from 'node:util';
import { errors } from '@plexus/contracts';

/**
 * What a change makes of something that was found: the same object when it says nothing new, whatever version it was made for, so that a repeat
 * is harmless. Throws CONFLICT when there is something new and somebody else was first.
 */
export function edited<T extends { readonly version?: number }>(found: T, changed: T, baseVersion: number | undefined): T {
  if (isDeepStrictEqual(found, changed)) return found;
  if (baseVersion !== undefined && baseVersion !== found.version) throw errors.create('CONFLICT', { details: { version: found.version } });
  return changed;
}
