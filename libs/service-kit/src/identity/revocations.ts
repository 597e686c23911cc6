import type { Bucket } from '@plexus/bus';
import { encodeToken, type Principal } from '@plexus/contracts';

/** Key of PLEXUS_REVOCATIONS that revokes everything of one user. */
export function userRevocationKey(tenant: string, user: string): string {
  return `user.${tenant}.${encodeToken(user)}`;
}

/** Key of PLEXUS_REVOCATIONS that revokes one credential (or token id). */
export function credentialRevocationKey(credentialId: string): string {
  return `credential.${encodeToken(credentialId)}`;
}

/** What has been revoked, kept current by watching PLEXUS_REVOCATIONS. The mere existence of a key revokes; its value is for people. */
export class Revocations {
  private readonly keys = new Set<string>();

  /** Starts watching until the bus closes; settles when every revocation that exists is known. */
  async start(bucket: Bucket): Promise<void> {
    const watching = bucket.watch('>', (change) => {
      if (change.kind === 'put') this.keys.add(change.key);
      else this.keys.delete(change.key);
    });
    await watching.ready;
  }

  /** The keys that would revoke this principal, to be asked for again and again. */
  static keysOf(principal: Principal): readonly string[] {
    const credential = credentialRevocationKey(principal.credentialId);
    return principal.user === undefined ? [credential] : [credential, userRevocationKey(principal.tenant, principal.user)];
  }

  hasAny(keys: readonly string[]): boolean {
    return this.keys.size > 0 && keys.some((key) => this.keys.has(key));
  }
}
