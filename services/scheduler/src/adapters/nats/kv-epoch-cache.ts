import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import type { EpochMemory } from '../../application/epoch-guard.js';
import type { EpochCache } from '../../application/ports.js';

const MAX_RACES = 5;
const READS = 32;

/** `PLEXUS_VM_EPOCH`, raised by compare-and-set: a late writer never brings an old epoch back. */
export class KvEpochCache implements EpochCache, EpochMemory {
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

  async highest(): Promise<number> {
    const bucket = await this.bus.kv(BUCKETS.vmEpoch);
    const keys = await bucket.keys();
    let highest = 0;
    for (let at = 0; at < keys.length; at += READS) {
      const entries = await Promise.all(keys.slice(at, at + READS).map((key) => bucket.get(key)));
      highest = Math.max(highest, ...entries.map((entry) => entry?.json<number>() ?? 0));
    }
    return highest;
  }
}
