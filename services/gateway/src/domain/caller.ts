import { hasScope, type Principal, SCOPES } from '@plexus/contracts';

/** The shared token; a token that the platform configuration declares by its digest; a JWT by one of its tenant's keys (see `Tenants.signingKey`), or of an issuer that its tenant trusts. */
export type Proof =
  | { readonly kind: 'shared' }
  | { readonly kind: 'declared'; readonly sha256: string }
  | { readonly kind: 'signed'; readonly key: string | undefined }
  | { readonly kind: 'issued'; readonly issuer: string };

/** Whom a credential proves, before anybody asked for a particular set of scopes. */
export interface Credential {
  readonly tenant: string;
  readonly user: string;
  /** The most that may be granted. */
  readonly scopes: readonly string[];
  readonly credentialId: string;
  readonly source?: string;
  /** Milliseconds since the epoch; absent: does not expire by itself. */
  readonly expiresAt?: number;
  /** What it rests on: when that is gone, the credential holds no longer. */
  readonly proof: Proof;
}

/** Scopes that a shared token or an admin may be granted. Other names are not ours to give. */
const OPERATOR_SCOPE = /^operator\.[a-z.]{1,64}$/;

/** What a connection gets: what it asked for as far as its credential covers it; everything the credential has when it asked for nothing in particular. */
export function grantScopes(credential: Credential, asked: readonly string[] | undefined): string[] {
  if (asked === undefined) return [...credential.scopes];
  return [...new Set(asked)].filter((scope) => OPERATOR_SCOPE.test(scope) && hasScope(credential.scopes, scope));
}

/** The principal that travels with every call made for this caller. */
export function principalOf(credential: Credential, scopes: readonly string[]): Principal {
  return {
    tenant: credential.tenant,
    user: credential.user,
    role: scopes.includes(SCOPES.admin) ? 'operator' : 'user',
    scopes: [...scopes],
    ...(credential.source === undefined ? {} : { source: credential.source }),
    credentialId: credential.credentialId,
  };
}

/** Key under which everything of one person is found in this process. */
export function ownerKey(tenant: string, user: string): string {
  return `${tenant}\u0000${user}`;
}
