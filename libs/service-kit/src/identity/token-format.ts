import { Principal, type PrincipalRole, plexusError } from '@plexus/contracts';
import type { PlexusError } from '@plexus/kernel';
import type { JWTPayload } from 'jose';

/** `typ` of the tokens that services mint; tokens of tenants carry `JWT` or nothing. */
export const PRINCIPAL_TOKEN_TYPE = 'plexus-principal+jwt';
export const AUDIENCE = 'plexus';
export const ALGORITHM = 'EdDSA';

export const TOKEN_LIFETIME_MS = 60_000;
/** A minted token is handed out for so long; then a fresh one is signed. */
export const MINT_REUSE_MS = 30_000;
/** Difference between two machines' clocks that is put up with. */
export const CLOCK_TOLERANCE_MS = 5_000;
/** Longer ones are refused before anything is decoded. */
export const MAX_TOKEN_LENGTH = 8_192;

/** Only the gateway sees credentials of people and VMs, so only it may speak for them; every service may speak for itself. */
export function mayMint(issuer: string, role: PrincipalRole): boolean {
  return role === 'service' || issuer === 'gateway';
}

/** Claims of a principal token. `sub` is the user, `cid` the credential. */
export function claimsOf(principal: Principal): JWTPayload {
  return {
    tenant: principal.tenant,
    ...(principal.user !== undefined && { sub: principal.user }),
    role: principal.role,
    scopes: principal.scopes,
    ...(principal.source !== undefined && { source: principal.source }),
    cid: principal.credentialId,
  };
}

/** Reverses {@link claimsOf}; frozen, because one principal object serves every call with the same token. */
export function principalOf(claims: JWTPayload): Principal {
  const parsed = Principal.safeParse({
    tenant: claims.tenant,
    user: claims.sub,
    role: claims.role,
    scopes: claims.scopes,
    source: claims.source,
    credentialId: claims.cid,
  });
  if (!parsed.success) throw unauthenticated('its claims are not those of a principal', parsed.error);
  Object.freeze(parsed.data.scopes);
  return Object.freeze(parsed.data);
}

/** The public sentence never says more than that the token is no good; the reason is for our logs and for whoever debugs an integration. */
export function unauthenticated(reason: string, cause?: unknown): PlexusError {
  return plexusError('UNAUTHENTICATED', { details: { reason }, ...(cause !== undefined && { cause }) });
}
