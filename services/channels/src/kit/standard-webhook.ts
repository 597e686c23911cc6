import { createHmac, timingSafeEqual } from 'node:crypto';

/** How old or how far ahead a signed message may be. */
export const TOLERANCE_SECONDS = 300;

const PREFIX = 'whsec_';

/** Bytes of a signing key: what follows `whsec_` is base64, anything else is taken as it stands. */
export function signingKey(secret: string): Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret, 'utf8');
}

/** The three headers of a signed message (standardwebhooks.com): HMAC-SHA256 over `<id>.<seconds>.<body>`, one signature per key. */
export function signedHeaders(id: string, atMs: number, body: Uint8Array, keys: readonly Buffer[]): Record<string, string> {
  const seconds = String(Math.floor(atMs / 1_000));
  return {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': keys.map((key) => `v1,${mac(key, id, seconds, body).toString('base64')}`).join(' '),
  };
}

export type Verdict = { readonly ok: true; readonly id: string } | { readonly ok: false; readonly reason: 'missing' | 'stale' | 'wrong' };

/** Checks a signed message against every current key. Takes as long for a wrong signature as for a right one. */
export function verifySigned(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Uint8Array,
  keys: readonly Buffer[],
  nowMs: number,
): Verdict {
  const id = headers['webhook-id'];
  const seconds = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof seconds !== 'string' || typeof signatures !== 'string') return { ok: false, reason: 'missing' };
  if (!/^[\x21-\x7e]{1,200}$/.test(id) || !/^\d{1,12}$/.test(seconds)) return { ok: false, reason: 'missing' };
  if (Math.abs(nowMs / 1_000 - Number(seconds)) > TOLERANCE_SECONDS) return { ok: false, reason: 'stale' };
  const given = signatures
    .split(' ', 8)
    .filter((each) => each.startsWith('v1,'))
    .map((each) => Buffer.from(each.slice(3), 'base64'));
  const expected = keys.map((key) => mac(key, id, seconds, body));
  let matches = false;
  for (const one of given) for (const other of expected) if (sameBytes(one, other)) matches = true;
  return matches ? { ok: true, id } : { ok: false, reason: 'wrong' };
}

/** Compares without telling by its duration where the difference is. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function mac(key: Buffer, id: string, seconds: string, body: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest();
}
