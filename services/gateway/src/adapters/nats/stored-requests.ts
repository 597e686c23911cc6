import { createHash } from 'node:crypto';
import type { Bucket } from '@plexus/bus';
import { plexusError } from '@plexus/contracts';
import type { KeptRequest, RequestKey, RequestStore } from '../../application/vm/kept-requests.js';

/** Requests of VMs that must not run twice, in PLEXUS_VM_REQUESTS; its TTL forgets them. */
export class StoredRequests implements RequestStore {
  private bucket: Bucket | undefined;

  start(bucket: Bucket): void {
    this.bucket = bucket;
  }

  async claim(key: RequestKey, request: KeptRequest): Promise<boolean> {
    return (await this.open().create(nameOf(key), request)) !== undefined;
  }

  async read(key: RequestKey): Promise<KeptRequest | undefined> {
    return (await this.open().get(nameOf(key)))?.json<KeptRequest>();
  }

  async settle(key: RequestKey, request: KeptRequest): Promise<void> {
    await this.open().put(nameOf(key), request);
  }

  private open(): Bucket {
    if (this.bucket === undefined) throw plexusError('UNAVAILABLE');
    return this.bucket;
  }
}

/** Ids come from VMs and may hold anything; bucket keys may not. */
function nameOf({ vmId, epoch, id }: RequestKey): string {
  return `${hashed(vmId)}.${epoch}.${hashed(id)}`;
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('base64url');
