import { createHmac } from 'node:crypto';
import { sameBytes } from '../kit/standard-webhook.js';

const TOLERANCE_SECONDS = 300;

/** Checks `x-slack-signature`: HMAC-SHA256 over `v0:<seconds>:<body>`, not older than five minutes. */
export function isSignedBySlack(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Uint8Array,
  signingSecret: string,
  nowMs: number,
): boolean {
  const seconds = headers['x-slack-request-timestamp'];
  const signature = headers['x-slack-signature'];
  if (typeof seconds !== 'string' || typeof signature !== 'string' || !/^\d{1,12}$/.test(seconds)) return false;
  if (Math.abs(nowMs / 1_000 - Number(seconds)) > TOLERANCE_SECONDS) return false;
  const expected = `v0=${createHmac('sha256', signingSecret).update(`v0:${seconds}:`).update(body).digest('hex')}`;
  return sameBytes(Buffer.from(signature), Buffer.from(expected));
}
