import { createHash, createHmac } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';

/** HMAC-SHA256 under the tenant's key: equal texts of two tenants have nothing in common in the database. */
export function macOf(key: Uint8Array, form: string): Uint8Array {
  return createHmac('sha256', key).update(form).digest();
}

/** Hash of anything that is JSON, in 43 characters; equal values give equal hashes, whatever the order of their keys. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(stableStringify(value)).digest('base64url');
}
