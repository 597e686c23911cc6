import { BUCKETS } from '@plexus/contracts';
import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { TestMesh } from './test-mesh.js';

/** Signs whatever a test wants, right or wrong. */
export interface TestIssuer {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  token(claims: JWTPayload, change?: { header?: object; issuer?: string; audience?: string; issuedAt?: number; lifetimeSeconds?: number }): Promise<string>;
}

/** Makes a key, publishes its public half as `<service>.<kid>` unless told otherwise, and signs principal tokens with it. */
export async function publishTestIssuer(mesh: TestMesh, service: string, { publish = true } = {}): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA');
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  if (publish) await (await mesh.admin.kv(BUCKETS.keys)).put(`${service}.${kid}`, { ...jwk, kid });
  return {
    kid,
    privateKey,
    token: (claims, { header = {}, issuer = service, audience = 'plexus', issuedAt = Math.floor(Date.now() / 1_000), lifetimeSeconds = 60 } = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'plexus-principal+jwt', ...header })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .sign(privateKey),
  };
}
