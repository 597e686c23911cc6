import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** The three headers of a signed message (standardwebhooks.com): HMAC-SHA256 over `<id>.<seconds>.<body>`. What follows `whsec_` in a secret is base64. */
export function signedHeaders(id: string, atMs: number, body: string, secret: string): Record<string, string> {
  const seconds = String(Math.floor(atMs / 1_000));
  const key = secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret, 'utf8');
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${signature}` };
}
