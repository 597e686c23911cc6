import type { Clock } from '@plexus/kernel';
import type { LogFeed, OwnedPartition, PartitionLeases } from './deciding-ports.js';
import type { RememberedStates } from './remembered-states.js';
import { WakeUp } from './wake-up.js';

export interface OwnershipOptions {
  /** Unique per process. */
  readonly owner: string;
  readonly partitions: number;
  readonly leases: PartitionLeases;
  readonly feed: LogFeed;
  readonly remembered: RememberedStates;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Settles when no batch that had begun is being decided any more. */
  settled(): Promise<void>;
  onChanged(): void;
  /** So many replicas are alive. */
  onAlive?(count: number): void;
  onFailure(error: unknown): void;
  onRestarted(): void;
}

/**
 * Which partitions this replica owns: takes its fair share of what nobody owns, gives back what is more than that, and forgets what it
 * has lost. Leases only say who may try; that two never decide the same inputs is up to the fence, which every commit compares.
 */
export class Ownership {
  private readonly held = new Map<number, OwnedPartition>();
  /** Given back as soon as no batch of theirs is under way. */
  private readonly leaving = new Set<number>();
  private readonly stopping = new AbortController();
  private readonly wakeUp: WakeUp;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: OwnershipOptions) {
    this.wakeUp = new WakeUp(options.clock);
  }

  start(): void {
    this.loop = this.run();
  }

  /** Partitions to decide now. */
  owned(): OwnedPartition[] {
    return [...this.held.values()].filter(({ part }) => !this.leaving.has(part));
  }

  /** The cursor of a partition was moved. */
  moved({ part, fence }: OwnedPartition, cursor: number): void {
    const held = this.held.get(part);
    if (held?.fence === fence) this.held.set(part, { ...held, cursor });
  }

  /** Somebody else owns these by now. */
  lose(parts: readonly number[]): void {
    for (const part of parts) {
      this.held.delete(part);
      this.leaving.delete(part);
      this.options.remembered.forget(part);
    }
    this.options.feed.close(parts);
  }

  /** Gives everything back, once the batches under way are decided. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wakeUp.ring();
    await this.loop;
    const { leases, owner } = this.options;
    const held = [...this.held.values()];
    this.lose(held.map(({ part }) => part));
    try {
      await leases.release(owner, held);
      await leases.leave(owner);
    } catch (error) {
      // The leases end by themselves.
      this.options.onFailure(error);
    }
  }

  /** One round: renew, balance, look whether the log is still the same. */
  async round(): Promise<void> {
    const { leases, owner, leaseMs, partitions, feed } = this.options;
    const held = [...this.held.values()];
    const { kept, alive } = await leases.renew(owner, held, leaseMs);
    const lost = held.filter(({ part, fence }) => !kept.has(part) && this.held.get(part)?.fence === fence).map(({ part }) => part);
    if (lost.length > 0) this.lose(lost);
    this.options.onAlive?.(alive);
    const share = Math.ceil(partitions / alive);
    if (this.held.size > share) await this.giveBack(this.held.size - share);
    if (this.held.size < share) this.take(await leases.acquire(owner, share - this.held.size, leaseMs));
    if (await feed.hasRestarted()) await this.restart();
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.round().catch(this.options.onFailure);
      await this.wakeUp.wait(this.options.renewMs, this.stopping.signal);
    }
  }

  private take(acquired: readonly OwnedPartition[]): void {
    if (acquired.length === 0) return;
    for (const { part, fence, cursor } of acquired) {
      // An answer that came after it was lost may have remembered something again.
      this.options.remembered.forget(part);
      this.held.set(part, { part, fence: Number(fence), cursor: Number(cursor) });
    }
    this.options.feed.open(acquired);
    this.options.onChanged();
  }

  private async giveBack(count: number): Promise<void> {
    const going = [...this.held.values()].slice(-count);
    for (const { part } of going) this.leaving.add(part);
    await this.options.settled();
    const still = going.flatMap(({ part }) => this.held.get(part) ?? []);
    this.lose(going.map(({ part }) => part));
    await this.options.leases.release(this.options.owner, still);
  }

  /** The log began anew: every cursor goes to its beginning. What is decided again is recognised by its sightings. */
  private async restart(): Promise<void> {
    const { leases, feed, remembered } = this.options;
    const held = [...this.held.values()];
    for (const { part } of held) this.leaving.add(part);
    await this.options.settled();
    feed.close(held.map(({ part }) => part));
    const again: OwnedPartition[] = [];
    for (const partition of held) {
      remembered.forget(partition.part);
      this.held.delete(partition.part);
      if (await leases.restart(partition)) again.push({ ...partition, cursor: 0 });
    }
    this.leaving.clear();
    this.options.onRestarted();
    this.take(again);
  }
}
