import type { PlatformConfig, PublicJwk } from '@plexus/agent-config';
import type { Principal } from '@plexus/contracts';
import { type CryptoKey, decodeJwt, decodeProtectedHeader, errors, importJWK, type JWK, type JWTPayload, jwtVerify } from 'jose';
import { CLOCK_TOLERANCE_MS, MAX_TOKEN_LENGTH, principalOf, unauthenticated } from './token-format.js';

/** A checked token of a tenant. */
export interface TenantToken {
  readonly principal: Principal;
  /** When it ends, milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Public-key algorithms only: a shared secret has no place in a configuration bucket. */
const ALGORITHMS = ['EdDSA', 'ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const DEFAULT_ALGORITHM: Record<PublicJwk['kty'], string> = { OKP: 'EdDSA', EC: 'ES256', RSA: 'RS256' };
/** Roles that a tenant may hand out within itself. Services are those of the mesh, VMs are known by their own tokens. */
const ROLES = ['user', 'operator'];

/**
 * Checks a JWT that a tenant signed with one of its keys (`tenants.<id>.keys` of the platform configuration): claims `tenant`, `exp`,
 * `sub` (the user; an integrator has none), `scopes` (list, or words in `scope`), `role` (default: user), `source`, `jti`.
 * The credential id is the `jti`, else `key-<kid>`. Rejects with UNAUTHENTICATED.
 */
export async function verifyTenantToken(token: string, platform: PlatformConfig, nowMs: number): Promise<TenantToken> {
  if (token.length > MAX_TOKEN_LENGTH) throw unauthenticated('it is too long');
  try {
    const { kid } = decodeProtectedHeader(token);
    const { tenant } = decodeJwt(token);
    const declared = typeof tenant === 'string' && Object.hasOwn(platform.tenants, tenant) ? platform.tenants[tenant] : undefined;
    if (declared === undefined) throw unauthenticated('its tenant is not declared');
    const jwk = chooseKey(declared.keys, kid);
    if (jwk === undefined)
      throw unauthenticated(kid === undefined ? 'it names no key and the tenant does not have exactly one' : 'its key is not one of the tenant');
    const algorithm = jwk.alg ?? DEFAULT_ALGORITHM[jwk.kty];
    if (!ALGORITHMS.includes(algorithm)) throw unauthenticated('the algorithm of its key is not allowed');
    const { payload } = await jwtVerify(token, (await importJWK(jwk as JWK, algorithm)) as CryptoKey, {
      algorithms: [algorithm],
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_MS / 1_000,
      currentDate: new Date(nowMs),
    });
    return { principal: principalOf(withDefaults(payload, jwk.kid)), expiresAt: (payload.exp as number) * 1_000 };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthenticated('it has expired', error);
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      throw unauthenticated('it is not a valid token of the tenant', error);
    throw error;
  }
}

function chooseKey(keys: readonly PublicJwk[], kid: string | undefined): PublicJwk | undefined {
  if (kid !== undefined) return keys.find((key) => key.kid === kid);
  return keys.length === 1 ? keys[0] : undefined;
}

function withDefaults(claims: JWTPayload, kid: string | undefined): JWTPayload {
  const role = claims.role ?? 'user';
  if (!ROLES.includes(role as string)) throw unauthenticated('a tenant may not hand out this role');
  const scopes = claims.scopes ?? (typeof claims.scope === 'string' ? claims.scope.split(' ').filter((word) => word !== '') : []);
  return { ...claims, role, scopes, cid: claims.jti ?? `key-${kid ?? 'only'}` };
}
