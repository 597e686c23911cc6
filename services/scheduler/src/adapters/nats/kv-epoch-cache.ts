import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import type { EpochCache } from '../../application/ports.js';

const MAX_RACES = 5;

/** `PLEXUS_VM_EPOCH`, raised by compare-and-set: a late writer never brings an old epoch back. */
export class KvEpochCache implements EpochCache {
  constructor(private readonly bus: Pick<Bus, 'kv'>) {}

  async raise(vmId: string, epoch: number): Promise<void> {
    const bucket = await this.bus.kv(BUCKETS.vmEpoch);
    for (let race = 0; race < MAX_RACES; race += 1) {
      const entry = await bucket.get(vmId);
      if (entry === undefined) {
        if ((await bucket.create(vmId, epoch)) !== undefined) return;
      } else if (entry.json<number>() >= epoch || (await bucket.update(vmId, epoch, entry.revision)) !== undefined) {
        return;
      }
    }
  }
}
