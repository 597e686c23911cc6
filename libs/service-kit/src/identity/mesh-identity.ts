import type { BusIdentity } from '@plexus/bus';
import { Principal, plexusError } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { TenantDirectory } from '../tenants/tenant-directory.js';
import type { Identity } from './identity.js';
import type { KeyDirectory } from './key-directory.js';
import { Revocations } from './revocations.js';
import type { SigningKey } from './signing-key.js';
import { verifyTenantToken } from './tenant-token.js';
import {
  ALGORITHM,
  AUDIENCE,
  CLOCK_TOLERANCE_MS,
  claimsOf,
  MAX_TOKEN_LENGTH,
  MINT_REUSE_MS,
  mayMint,
  PRINCIPAL_TOKEN_TYPE,
  principalOf,
  TOKEN_LIFETIME_MS,
  unauthenticated,
} from './token-format.js';

/** Different tokens remembered at once; about 1 KiB each. */
const MAX_REMEMBERED = 10_000;

export interface MeshIdentityOptions {
  readonly service: string;
  readonly key: SigningKey;
  readonly keys: KeyDirectory;
  readonly revocations: Revocations;
  readonly tenants: TenantDirectory;
  readonly clock: Clock;
}

interface Verified {
  readonly principal: Principal;
  /** Wall clock; a token is remembered no longer than it is valid. */
  readonly until: number;
  readonly revokedBy: readonly string[];
  /** Tokens of tenants hang on the platform configuration: a removed key must end them at once. */
  readonly byTenant: boolean;
}

type Minted = { readonly token: string; readonly until: number };

const minted = counter('tokensMinted');
const verified = counter('tokensVerified');

/**
 * The identity of a running service. Both directions answer from memory nearly always: a principal's token is signed again only every
 * 30 s, and a token that was checked once costs one map look-up until it expires or is revoked.
 */
export class MeshIdentity implements Identity {
  private readonly mintedTokens = new LRUCache<string, Minted>({ max: MAX_REMEMBERED });
  private readonly minting = new Map<string, Promise<string>>();
  private readonly verifiedTokens = new LRUCache<string, Verified>({ max: MAX_REMEMBERED });
  private readonly forget: () => void;

  constructor(private readonly options: MeshIdentityOptions) {
    this.forget = options.tenants.onChange((change) => {
      if (change.kind === 'platform') for (const [token, entry] of this.verifiedTokens) if (entry.byTenant) this.verifiedTokens.delete(token);
    });
  }

  /** For the bus: answers without a promise when the answer is known. */
  readonly forBus: BusIdentity = { mint: (principal) => this.mintNow(principal), verify: (token) => this.verifyNow(token) };

  async mint(principal: Principal): Promise<string> {
    return this.mintNow(principal);
  }

  async verify(token: string): Promise<Principal> {
    return this.verifyNow(token);
  }

  service(tenant: string, user?: string, scopes: readonly string[] = []): Principal {
    const { service } = this.options;
    return { tenant, ...(user !== undefined && { user }), role: 'service', scopes: [...scopes], source: service, credentialId: `service-${service}` };
  }

  stop(): void {
    this.forget();
  }

  private mintNow(principal: Principal): string | Promise<string> {
    const name = JSON.stringify(claimsOf(principal));
    const known = this.mintedTokens.get(name);
    if (known !== undefined && known.until > this.options.clock.now()) return known.token;
    const pending = this.minting.get(name);
    if (pending !== undefined) return pending;
    const signing = this.sign(principal, name).finally(() => this.minting.delete(name));
    this.minting.set(name, signing);
    return signing;
  }

  private async sign(principal: Principal, name: string): Promise<string> {
    const { service, key, clock } = this.options;
    if (!mayMint(service, principal.role)) {
      throw plexusError('FORBIDDEN', {
        message: `Service ${service} may not speak for a principal of role ${principal.role}.`,
        details: { role: principal.role },
      });
    }
    const parsed = Principal.safeParse(principal);
    if (!parsed.success) throw plexusError('INVALID_REQUEST', { message: 'That is not a principal.', cause: parsed.error });
    const now = clock.now();
    const token = await new SignJWT(claimsOf(parsed.data))
      .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: PRINCIPAL_TOKEN_TYPE })
      .setIssuer(service)
      .setAudience(AUDIENCE)
      .setIssuedAt(Math.floor(now / 1_000))
      .setExpirationTime(Math.floor((now + TOKEN_LIFETIME_MS) / 1_000))
      .sign(key.privateKey);
    this.mintedTokens.set(name, { token, until: now + MINT_REUSE_MS - 1_000 });
    minted.add(1);
    return token;
  }

  private verifyNow(token: string): Principal | Promise<Principal> {
    const known = this.verifiedTokens.get(token);
    if (known !== undefined) {
      if (known.until > this.options.clock.now()) {
        if (this.options.revocations.hasAny(known.revokedBy)) {
          verified.add(1, { outcome: 'revoked' });
          return Promise.reject(unauthenticated('it was revoked'));
        }
        verified.add(1, { outcome: 'cached' });
        return known.principal;
      }
      this.verifiedTokens.delete(token);
    }
    return this.check(token);
  }

  private async check(token: string): Promise<Principal> {
    const { clock, tenants, revocations } = this.options;
    const platform = tenants.platform();
    let outcome = 'rejected';
    try {
      if (token.length > MAX_TOKEN_LENGTH) throw unauthenticated('it is too long');
      const own = typeOf(token) === PRINCIPAL_TOKEN_TYPE;
      const { principal, expiresAt } = own ? await this.checkOwn(token) : await verifyTenantToken(token, platform, clock.now());
      const revokedBy = Revocations.keysOf(principal);
      if (revocations.hasAny(revokedBy)) {
        outcome = 'revoked';
        throw unauthenticated('it was revoked');
      }
      // A configuration that changed meanwhile may have taken the tenant's key away: then the next call checks again.
      if (own || tenants.platform() === platform) {
        this.verifiedTokens.set(token, { principal, until: expiresAt + CLOCK_TOLERANCE_MS, revokedBy, byTenant: !own });
      }
      outcome = 'accepted';
      return principal;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'UNAVAILABLE') outcome = 'undecided';
      throw error;
    } finally {
      verified.add(1, { outcome });
    }
  }

  /** A token of the mesh: the signature must be that of the issuer it names, and that issuer must be allowed to say this. */
  private async checkOwn(token: string): Promise<{ principal: Principal; expiresAt: number }> {
    const { kid, issuer } = namesOf(token);
    const key = await this.options.keys.find(issuer, kid);
    if (key === undefined) throw unauthenticated('its signing key is not known');
    let claims: JWTPayload;
    try {
      const result = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        typ: PRINCIPAL_TOKEN_TYPE,
        issuer,
        audience: AUDIENCE,
        requiredClaims: ['iat', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_MS / 1_000,
        currentDate: new Date(this.options.clock.now()),
      });
      claims = result.payload;
    } catch (error) {
      throw unauthenticated(error instanceof errors.JWTExpired ? 'it has expired' : 'its signature or claims are not valid', error);
    }
    const expiresAt = (claims.exp as number) * 1_000;
    // An issuer that signs for hours would take revocation and key removal out of our hands.
    if (expiresAt - (claims.iat as number) * 1_000 > TOKEN_LIFETIME_MS) throw unauthenticated('it is valid for too long');
    const principal = principalOf(claims);
    if (!mayMint(issuer, principal.role)) throw unauthenticated('its issuer may not speak for this role');
    return { principal, expiresAt };
  }
}

function typeOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).typ;
  } catch (error) {
    throw unauthenticated('it is not a JWT', error);
  }
}

/** Kid and issuer as the token states them; believed only after the signature fits that issuer's key. */
function namesOf(token: string): { kid: string; issuer: string } {
  try {
    const { kid } = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof kid !== 'string' || typeof iss !== 'string') throw new TypeError('kid and iss are needed');
    return { kid, issuer: iss };
  } catch (error) {
    throw unauthenticated('it names no signing key', error);
  }
}
