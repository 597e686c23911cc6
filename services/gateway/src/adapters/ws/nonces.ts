import { randomFillSync } from 'node:crypto';

const BYTES = 24;
const AT_ONCE = 128;
const pool = Buffer.alloc(BYTES * AT_ONCE);
let used = pool.length;

/** A fresh nonce of 192 random bits. They are drawn many at a time: asking the system for each costs more than the rest of a challenge. */
export function nextNonce(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const from = used;
  used += BYTES;
  return pool.toString('base64url', from, used);
}
