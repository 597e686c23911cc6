import type { Bucket, BucketWatch } from '@plexus/bus';
import { credentialRevocationKey, userRevocationKey } from '@plexus/service-kit';
import type { Revocations } from '../../application/ports.js';

type Who = { readonly tenant: string; readonly user: string; readonly credentialId: string };

/** Revoked users and credentials, by watching PLEXUS_REVOCATIONS; the bucket is listed again after every reconnect. */
export class WatchedRevocations implements Revocations {
  private readonly keys = new Set<string>();
  private watching: BucketWatch | undefined;
  private listener: (() => void) | undefined;

  async start(bucket: Bucket): Promise<void> {
    this.watching = bucket.watch('>', (change) => {
      if (change.kind === 'delete') this.keys.delete(change.key);
      else {
        this.keys.add(change.key);
        this.listener?.();
      }
    });
    await this.watching.ready;
  }

  /** Calls back when something more was revoked. */
  onRevoked(listener: () => void): void {
    this.listener = listener;
  }

  async stop(): Promise<void> {
    await this.watching?.stop();
  }

  isRevoked({ tenant, user, credentialId }: Who): boolean {
    return this.keys.size > 0 && (this.keys.has(credentialRevocationKey(credentialId)) || this.keys.has(userRevocationKey(tenant, user)));
  }
}
