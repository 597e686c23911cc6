import { FakeClock } from '@plexus/kernel';
import type { LogFeed, OwnedPartition, PartitionLeases } from './deciding-ports.js';
import { Ownership } from './ownership.js';
import { RememberedStates } from './remembered-states.js';

/** Leases in memory: what the table says, without its clock. */
class Leases implements PartitionLeases {
  readonly rows = Array.from({ length: 8 }, (_, part) => ({ part, owner: undefined as string | undefined, fence: 0, cursor: 10 }));
  alive = 1;
  unavailable = false;

  async renew(owner: string, held: readonly OwnedPartition[]): Promise<{ kept: Set<number>; alive: number }> {
    if (this.unavailable) throw new Error('unavailable');
    const kept = held.filter(({ part, fence }) => this.rows[part]?.owner === owner && this.rows[part].fence === fence);
    return { kept: new Set(kept.map(({ part }) => part)), alive: this.alive };
  }

  async acquire(owner: string, most: number): Promise<OwnedPartition[]> {
    const free = this.rows.filter((row) => row.owner === undefined).slice(0, most);
    return free.map((row) => {
      row.owner = owner;
      row.fence += 1;
      return { part: row.part, fence: row.fence, cursor: row.cursor };
    });
  }

  async release(owner: string, parts: readonly OwnedPartition[]): Promise<void> {
    for (const { part } of parts) {
      const row = this.rows[part];
      if (row?.owner === owner) row.owner = undefined;
    }
  }

  async leave(): Promise<void> {}

  async restart({ part, fence }: OwnedPartition): Promise<boolean> {
    const row = this.rows[part];
    if (row?.fence !== fence) return false;
    row.cursor = 0;
    return true;
  }
}

class Feed implements LogFeed {
  readonly opened = new Map<number, number>();
  restarted = false;
  open(partitions: readonly OwnedPartition[]): void {
    for (const { part, cursor } of partitions) this.opened.set(part, cursor);
  }
  close(parts: readonly number[]): void {
    for (const part of parts) this.opened.delete(part);
  }
  peek = () => ({ inputs: [], next: 0 });
  confirm(): void {}
  waiting = () => false;
  urgent = () => 0;
  hasRestarted = async () => this.restarted;
  async stop(): Promise<void> {}
}

describe('ownership of partitions', () => {
  const replica = (owner: string, leases: Leases) => {
    const feed = new Feed();
    const alive: number[] = [];
    const ownership = new Ownership({
      owner,
      partitions: 8,
      leases,
      feed,
      remembered: new RememberedStates(),
      clock: new FakeClock(),
      leaseMs: 10_000,
      renewMs: 3_000,
      settled: async () => {},
      onChanged: () => {},
      onAlive: (count) => alive.push(count),
      onFailure: () => {},
      onRestarted: () => {},
    });
    return { ownership, feed, alive, parts: () => ownership.owned().map(({ part }) => part) };
  };

  it('one replica takes everything; when a second comes each has its half, and none is owned twice', async () => {
    const leases = new Leases();
    const [one, two] = [replica('one', leases), replica('two', leases)];
    await one.ownership.round();
    expect(one.parts()).toHaveLength(8);
    leases.alive = 2;
    await two.ownership.round();
    expect(two.parts()).toEqual([]);
    await one.ownership.round();
    await two.ownership.round();
    expect([one.parts().length, two.parts().length]).toEqual([4, 4]);
    expect(new Set([...one.parts(), ...two.parts()]).size).toBe(8);
    expect([...one.feed.opened.keys()].sort()).toEqual(one.parts().sort());
    expect([one.alive, two.alive]).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('what was taken by somebody else is forgotten; what goes on under a higher fence is ours', async () => {
    const leases = new Leases();
    const one = replica('one', leases);
    await one.ownership.round();
    Object.assign(leases.rows[3] as object, { owner: 'two', fence: 7 });
    await one.ownership.round();
    expect(one.parts()).not.toContain(3);
    expect(one.feed.opened.has(3)).toBe(false);
    Object.assign(leases.rows[3] as object, { owner: undefined });
    await one.ownership.round();
    expect(one.ownership.owned().find(({ part }) => part === 3)?.fence).toBe(8);
  });

  it('goes on deciding while the database is away: the fence protects, not the time', async () => {
    const leases = new Leases();
    const one = replica('one', leases);
    await one.ownership.round();
    leases.unavailable = true;
    await expect(one.ownership.round()).rejects.toThrow('unavailable');
    expect(one.parts()).toHaveLength(8);
  });

  it('a log that began anew is read from its beginning', async () => {
    const leases = new Leases();
    const one = replica('one', leases);
    await one.ownership.round();
    expect([...one.feed.opened.values()]).toEqual(Array.from({ length: 8 }, () => 10));
    one.feed.restarted = true;
    await one.ownership.round();
    expect([...one.feed.opened.values()]).toEqual(Array.from({ length: 8 }, () => 0));
    expect(one.ownership.owned().every(({ cursor }) => cursor === 0)).toBe(true);
  });

  it('gives everything back when it stops', async () => {
    const leases = new Leases();
    const one = replica('one', leases);
    await one.ownership.round();
    await one.ownership.stop();
    expect(leases.rows.every(({ owner }) => owner === undefined)).toBe(true);
    expect(one.feed.opened.size).toBe(0);
  });
});
