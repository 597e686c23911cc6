import type { Bucket } from '@plexus/bus';
import { plexusError } from '@plexus/contracts';
import type { AnswerStore, KeptAnswer } from '../../application/kept-answers.js';

/** Answers to writes with an Idempotency-Key: in PLEXUS_VM_REQUESTS, beside the requests of VMs; its TTL forgets them. */
export class StoredAnswers implements AnswerStore {
  private bucket: Bucket | undefined;

  start(bucket: Bucket): void {
    this.bucket = bucket;
  }

  async claim(name: string, kept: KeptAnswer): Promise<boolean> {
    return (await this.open().create(name, kept)) !== undefined;
  }

  async read(name: string): Promise<KeptAnswer | undefined> {
    return (await this.open().get(name))?.json<KeptAnswer>();
  }

  async settle(name: string, kept: KeptAnswer): Promise<void> {
    await this.open().put(name, kept);
  }

  async release(name: string): Promise<void> {
    await this.open().delete(name);
  }

  private open(): Bucket {
    if (this.bucket === undefined) throw plexusError('UNAVAILABLE');
    return this.bucket;
  }
}
