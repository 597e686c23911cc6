import { BUCKETS } from '@plexus/contracts';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { TestMesh } from './test-mesh.js';

/** Signs whatever a test wants, right or wrong. */
export interface TestIssuer {
  readonly kid: string;
  /** Publishes the public half as `<service>.<kid>`. */
  publish(): Promise<void>;
  token(claims: JWTPayload, change?: { header?: object; issuer?: string; audience?: string; issuedAt?: number; lifetimeSeconds?: number }): Promise<string>;
}

/** Makes a key, publishes it unless told otherwise, and signs principal tokens with it. */
export async function publishTestIssuer(mesh: TestMesh, service: string, options: { readonly publish?: boolean } = {}): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA');
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const publish = async (): Promise<void> => {
    await (await mesh.admin.kv(BUCKETS.keys)).put(`${service}.${kid}`, { ...jwk, kid });
  };
  if (options.publish !== false) await publish();
  return {
    kid,
    publish,
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
