import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';

/** Tells a repetition of a request from another one under the same key. */
export function requestHash(request: unknown): string {
  return createHash('sha256').update(stableStringify(request)).digest('base64url');
}
