import type { Bucket, BucketWatch } from '@plexus/bus';
import type { Log } from '../../application/ports.js';

/** The current epoch of every VM, by watching PLEXUS_VM_EPOCH: where readers of a session begin that start in its middle. */
export class WatchedEpochs {
  private readonly epochs = new Map<string, number>();
  private watching: BucketWatch | undefined;

  constructor(private readonly log: Log) {}

  async start(bucket: Bucket): Promise<void> {
    this.watching = bucket.watch('>', (change) => {
      if (change.kind === 'delete') this.epochs.delete(change.key);
      else this.take(change.key, new TextDecoder().decode(change.entry.value));
    });
    await this.watching.ready;
  }

  async stop(): Promise<void> {
    await this.watching?.stop();
  }

  /** 0 when nothing is known of the VM. */
  of(vmId: string): number {
    return this.epochs.get(vmId) ?? 0;
  }

  /** Entries are a bare number or `{"epoch": number}`. */
  private take(vmId: string, text: string): void {
    try {
      const value: unknown = JSON.parse(text);
      const epoch = typeof value === 'object' && value !== null ? (value as { epoch?: unknown }).epoch : value;
      if (typeof epoch === 'number' && Number.isInteger(epoch)) this.epochs.set(vmId, epoch);
      else this.log.warn({ vmId }, 'an entry of PLEXUS_VM_EPOCH is no epoch');
    } catch {
      this.log.warn({ vmId }, 'an entry of PLEXUS_VM_EPOCH is not JSON');
    }
  }
}
