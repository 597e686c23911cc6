import type { Principal } from '@plexus/contracts';

/** Mints and checks the short-lived tokens in which a principal travels. Fits `BusIdentity`. */
export interface Identity {
  /** Signs a token for a principal with the key of this process: valid for 60 s, of which at least 30 s are left. Rejects with FORBIDDEN for a role that this service may not speak for. */
  mint(principal: Principal): Promise<string>;
  /** Checks a token. Rejects with UNAUTHENTICATED (broken, forged, expired, revoked, or its issuer may not say this) or UNAVAILABLE (the keys cannot be read now). */
  verify(token: string): Promise<Principal>;
  /** What this service does by itself: role `service`, for one tenant or `_`. */
  service(tenant: string, user?: string, scopes?: readonly string[]): Principal;
}
