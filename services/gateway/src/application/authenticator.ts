import { hash, timingSafeEqual } from 'node:crypto';
import { type Principal, SCOPES } from '@plexus/contracts';
import { err, ok, type Result } from '@plexus/kernel';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Credential } from '../domain/caller.js';
import { hasCode } from '../domain/client-error.js';
import type { Revocations, Tenants } from './ports.js';

export type AuthenticationFailure = 'missing' | 'mismatch' | 'expired' | 'revoked' | 'unknown-tenant';

export interface SharedToken {
  readonly token: string;
  readonly tenant: string;
  readonly user: string;
}

/** A checked token of an issuer that a tenant trusts. */
export interface IssuedToken {
  readonly tenant: string;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly credentialId: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Names the declaration that it rests on. */
  readonly issuer: string;
}

/** Others who sign tokens for users of tenants. */
export interface Issuers {
  /** Undefined: not a token of any of them. Rejects with UNAUTHENTICATED, and with UNAVAILABLE while its keys cannot be read. */
  verify(token: string): Promise<IssuedToken | undefined>;
  /** Whether the tenant still trusts it. */
  isDeclared(tenant: string, issuer: string): boolean;
}

export interface AuthenticatorOptions {
  readonly shared: SharedToken | undefined;
  readonly tenants: Tenants;
  readonly revocations: Revocations;
  /** Checks a JWT against the keys of the tenant that it names. Rejects with UNAUTHENTICATED. */
  readonly verifyJwt: (token: string) => Promise<{ readonly principal: Principal; readonly expiresAt: number }>;
  readonly issuers: Issuers;
  /** Wall clock, ms. */
  readonly now: () => number;
}

/** Says whom a bearer credential proves: the shared token, a token that the platform configuration declares, or a JWT of a tenant's keys. */
export class Authenticator {
  private readonly sharedDigest: Buffer | undefined;
  /** One for all who bring the shared token. */
  private readonly sharedCredential: Result<Credential, never> | undefined;

  constructor(private readonly options: AuthenticatorOptions) {
    const { shared } = options;
    if (shared === undefined) return;
    this.sharedDigest = sha256(shared.token);
    const { tenant, user } = shared;
    this.sharedCredential = ok({ tenant, user, scopes: [SCOPES.admin], credentialId: 'gateway-token', proof: { kind: 'shared' } });
  }

  async authenticate(bearer: string | undefined): Promise<Result<Credential, AuthenticationFailure>> {
    if (bearer === undefined || bearer === '') return err('missing');
    const digest = sha256(bearer);
    const found = this.shared(digest) ?? this.declared(digest) ?? (await this.issued(bearer)) ?? (await this.jwt(bearer));
    if (!found.ok) return found;
    const { tenant, expiresAt } = found.value;
    if (!this.options.tenants.has(tenant)) return err('unknown-tenant');
    if (expiresAt !== undefined && expiresAt <= this.options.now()) return err('expired');
    return this.isWithdrawn(found.value) ? err('revoked') : found;
  }

  /**
   * Whether a credential that was good once has been taken back since: revoked, or its tenant, declared token or signing key is gone from the
   * platform configuration. Says nothing about its expiry.
   */
  isWithdrawn(credential: Credential): boolean {
    const { tenants, revocations } = this.options;
    return revocations.isRevoked(credential) || !tenants.has(credential.tenant) || !this.isProven(credential);
  }

  private isProven({ tenant, credentialId, proof }: Credential): boolean {
    const { tenants } = this.options;
    switch (proof.kind) {
      case 'shared':
        return true;
      case 'declared': {
        const grant = tenants.tokenBySha256(proof.sha256);
        return grant?.tenant === tenant && grant.credentialId === credentialId;
      }
      case 'signed':
        return proof.key !== undefined && tenants.hasSigningKey(tenant, proof.key);
      case 'issued':
        return this.options.issuers.isDeclared(tenant, proof.issuer);
    }
  }

  private shared(digest: Buffer): Result<Credential, AuthenticationFailure> | undefined {
    // Digests have one length, so that the comparison takes the same time whatever was sent.
    return this.sharedDigest === undefined || !timingSafeEqual(digest, this.sharedDigest) ? undefined : this.sharedCredential;
  }

  private declared(digest: Buffer): Result<Credential, AuthenticationFailure> | undefined {
    // Looked up by digest: what the timing of a map tells about a digest is nothing about the token.
    const hex = digest.toString('hex');
    const grant = this.options.tenants.tokenBySha256(hex);
    if (grant === undefined) return undefined;
    const { tenant, credentialId, user, scopes, source, expiresAt } = grant;
    return ok({
      tenant,
      user: user ?? integrator(credentialId),
      scopes,
      credentialId,
      ...(source === undefined ? {} : { source }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      proof: { kind: 'declared', sha256: hex },
    });
  }

  /** A JWT of an issuer: its tenant is the one that trusts it, whatever the token says of tenants. */
  private async issued(bearer: string): Promise<Result<Credential, AuthenticationFailure> | undefined> {
    if (!isJwt(bearer)) return undefined;
    try {
      const token = await this.options.issuers.verify(bearer);
      if (token === undefined) return undefined;
      const { issuer, ...credential } = token;
      return ok({ ...credential, proof: { kind: 'issued', issuer } });
    } catch (error) {
      if (!hasCode(error, 'UNAUTHENTICATED')) throw error;
      const { exp } = decodeJwt(bearer);
      return err(typeof exp === 'number' && exp * 1_000 <= this.options.now() ? 'expired' : 'mismatch');
    }
  }

  private async jwt(bearer: string): Promise<Result<Credential, AuthenticationFailure>> {
    const claimed = readClaims(bearer);
    if (claimed === undefined) return err('mismatch');
    if (!this.options.tenants.has(claimed.tenant)) return err('unknown-tenant');
    // Looked up before anything is waited for, so that it is the key that the check finds.
    const key = this.options.tenants.signingKey(claimed.tenant, claimed.kid);
    try {
      const { principal, expiresAt } = await this.options.verifyJwt(bearer);
      const { tenant, user, scopes, credentialId, source } = principal;
      return ok({
        tenant,
        user: user ?? integrator(credentialId),
        scopes,
        credentialId,
        ...(source === undefined ? {} : { source }),
        expiresAt,
        proof: { kind: 'signed', key },
      });
    } catch (error) {
      if (!hasCode(error, 'UNAUTHENTICATED')) throw error;
      return err(claimed.expiresAt !== undefined && claimed.expiresAt <= this.options.now() ? 'expired' : 'mismatch');
    }
  }
}

/** An integrator is nobody in particular; whatever is kept per user is kept under its credential. */
function integrator(credentialId: string): string {
  return `integrator:${credentialId}`;
}

/** What a JWT says of itself; proves nothing. */
function readClaims(bearer: string): { readonly tenant: string; readonly kid: string | undefined; readonly expiresAt: number | undefined } | undefined {
  if (!isJwt(bearer)) return undefined;
  try {
    const { tenant, exp } = decodeJwt(bearer);
    const { kid } = decodeProtectedHeader(bearer);
    return typeof tenant === 'string' && tenant !== '' ? { tenant, kid, expiresAt: typeof exp === 'number' ? exp * 1_000 : undefined } : undefined;
  } catch {
    // Not a JWT at all.
    return undefined;
  }
}

function isJwt(bearer: string): boolean {
  return bearer.length <= 16_384 && bearer.split('.').length === 3;
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
