import { createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const LIFETIME_SECONDS = 4 * 3_600;

/** A JWT of a user as an issuer of the tenant would make it, signed with the key in `keyFile` (private EdDSA JWK). */
export function mintToken(keyFile: string, tenant: string, user: string, scopes: readonly string[]): string {
  const jwk = JSON.parse(readFileSync(keyFile, 'utf8')) as JsonWebKey & { kid: string };
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = part({ alg: 'EdDSA', kid: jwk.kid });
  // The clocks of the mesh are this machine's; some slack costs nothing.
  const body = part({ tenant, sub: user, scopes, iat: now - 5, exp: now + LIFETIME_SECONDS });
  const signature = sign(null, Buffer.from(`${head}.${body}`), createPrivateKey({ key: jwk, format: 'jwk' }));
  return `${head}.${body}.${signature.toString('base64url')}`;
}
