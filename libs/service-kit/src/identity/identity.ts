import type { BusIdentity } from '@plexus/bus';
import type { Principal } from '@plexus/contracts';

/** Mints and checks the short-lived tokens in which a principal travels. */
export interface Identity extends BusIdentity {
  /** Signs a token for a principal with the key of this process; valid for 60 s, and at least 30 s of that are left when it is returned. */
  mint(principal: Principal): Promise<string>;
  /** Checks a token. Rejects with UNAUTHENTICATED (broken, forged, expired, revoked, issuer may not say this) or UNAVAILABLE (the keys cannot be read now). */
  verify(token: string): Promise<Principal>;
  /** What this service does by itself: role `service`, for one tenant or `_`. */
  service(tenant: string, user?: string, scopes?: readonly string[]): Principal;
}
