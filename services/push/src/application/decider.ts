import { type Clock, fullJitter, PlexusError } from '@plexus/kernel';
import type { LogInput } from '../domain/engine/types.js';
import type { BatchResult, DecideBatch } from './decide-batch.js';
import type { LogFeed, OwnedPartition, PartitionInputs } from './deciding-ports.js';
import { GivingWay } from './giving-way.js';
import type { Ownership } from './ownership.js';
import { pause } from './pause.js';
import { WakeUp } from './wake-up.js';

export interface DeciderOptions {
  readonly ownership: Ownership;
  readonly feed: LogFeed;
  readonly batch: DecideBatch;
  /** For the urgent lane, on connections of its own. Default: the same as for the others. */
  readonly urgentBatch?: DecideBatch;
  readonly clock: Clock;
  /** Batches that are decided side by side, each over partitions of its own; beside them one lane is kept free for what is urgent. */
  readonly lanes?: number;
  /** Most inputs of one batch. Default 256. */
  readonly batchSize?: number;
  onCommitted(result: BatchResult): void;
  onFailure(error: unknown, attempt: number): void;
  /** Writing what follows from this input fails again and again while everything else works: it is recorded and passed over. */
  onFault(input: LogInput, error: unknown): void;
}

const BACKOFF = { baseMs: 50, capMs: 2_000 };
/** A batch that fails for a reason of its own is tried as a whole this often, then input by input, each this often. */
const TRIES = 3;
/** A cursor that lags this far behind what was read is moved, although nothing of its partition came. */
const IDLE_LAG = 10_000;
const REST_MS = 30_000;
/** The lane of what is urgent; the others count from 0. */
const URGENT = -1;
/** What is urgent waits for a batch that has its partition, and shares the processor with all of them: while such things come, batches are smaller. */
const BATCH_BESIDE_URGENT = 64;
/** And fewer: each lane of the others begins one in this time. */
const ROUND_BESIDE_URGENT_MS = 25;
const STALE = new Error('what is remembered of a user was changed by somebody else; decided again');

/**
 * Decides the partitions that this replica owns. A lane takes what waits in its partitions, a fair part of each, decides it in one
 * transaction and tells about it afterwards. A crash anywhere leaves either all of a batch or nothing.
 *
 * What is urgent goes through a lane of its own, with no more than what lies before it in its partition, and so waits for no batch of others. The order
 * within a partition is kept: a partition is in one lane at a time. The other lanes take such a partition only when they have nothing else to do, so
 * that there is no way to get ahead of everybody by calling everything urgent.
 */
export class Decider {
  private readonly wakeUps: WakeUp[];
  private readonly stopping = new AbortController();
  private lanes: Promise<void>[] = [];
  /** Batches that are being decided now, by lane. */
  private readonly busy = new Map<number, Promise<void>>();

  /** Partitions of batches that are being decided now. */
  private readonly taken = new Set<number>();
  private readonly bulkLanes: number;
  private readonly way: GivingWay;

  constructor(private readonly options: DeciderOptions) {
    this.bulkLanes = options.lanes ?? 2;
    this.way = new GivingWay(options.clock, ROUND_BESIDE_URGENT_MS);
    this.wakeUps = Array.from({ length: this.bulkLanes + 1 }, () => new WakeUp(options.clock));
  }

  start(): void {
    // The urgent lane comes first: whoever wakes all of them wakes it first.
    this.lanes = this.wakeUps.map((wakeUp, index) => this.run(index === 0 ? URGENT : index - 1, wakeUp));
  }

  /** Something waits, or may. */
  wake(): void {
    for (const wakeUp of this.wakeUps) wakeUp.ring();
  }

  /** Settles when no batch that had begun is being decided any more. */
  async settled(): Promise<void> {
    await Promise.all(this.busy.values());
  }

  /** Finishes the batches that have begun. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake();
    await Promise.all(this.lanes);
  }

  private async run(lane: number, wakeUp: WakeUp): Promise<void> {
    let turn = 0;
    let startedAt = Number.NEGATIVE_INFINITY;
    for (let failures = 0; !this.stopping.signal.aborted; ) {
      if (lane !== URGENT) await this.giveWay(startedAt);
      const single = failures >= TRIES;
      const work = this.collect(lane, turn, single);
      if (work.length === 0) {
        await wakeUp.wait(REST_MS, this.stopping.signal);
        continue;
      }
      startedAt = this.options.clock.monotonic();
      const outcome = this.decide(work, lane);
      this.busy.set(
        lane,
        outcome.then(() => undefined),
      );
      const error = await outcome;
      this.busy.delete(lane);
      if (error === undefined) {
        failures = 0;
        turn += 1;
        this.release(work);
        continue;
      }
      failures = isUnavailable(error.cause) ? 0 : failures + 1;
      this.options.onFailure(error.cause, failures);
      const passedOver = single && failures >= 2 * TRIES && (await this.passOver(work[0] as PartitionInputs, error.cause));
      this.release(work);
      if (passedOver) failures = 0;
      else await pause(this.options.clock, fullJitter(failures + 1, BACKOFF), this.stopping.signal);
    }
  }

  /** A fair part of what waits in each partition that is free for this lane; one input when something among them cannot be written. */
  private collect(lane: number, turn: number, single: boolean): PartitionInputs[] {
    const { feed } = this.options;
    const batchSize = this.batchSize();
    const free = this.free(lane);
    const waiting = this.waiting(lane, free);
    const share = single ? 1 : Math.max(8, Math.floor(batchSize / Math.max(1, waiting.length)));
    const work: PartitionInputs[] = [];
    let left = single ? 1 : batchSize;
    for (let index = 0; index < waiting.length && left > 0; index += 1) {
      const partition = waiting[(index + turn) % waiting.length] as OwnedPartition;
      const { inputs, next } = feed.peek(partition.part, Math.min(lane === URGENT ? feed.urgent(partition.part) : share, left));
      left -= Math.max(1, inputs.length);
      work.push({ partition, inputs, next });
    }
    if (!single && lane !== URGENT) work.push(...this.lagging(free));
    for (const { partition } of work) this.taken.add(partition.part);
    if (lane === URGENT && work.length > 0) this.way.urgent();
    return work;
  }

  private batchSize(): number {
    const { batchSize = 256 } = this.options;
    return this.way.isOn ? Math.min(batchSize, BATCH_BESIDE_URGENT) : batchSize;
  }

  private async giveWay(since: number): Promise<void> {
    const ms = this.way.restMs(since);
    if (ms > 0) await pause(this.options.clock, ms, this.stopping.signal);
  }

  /** Partitions of the lane that no batch holds. */
  private free(lane: number): OwnedPartition[] {
    return this.options.ownership.owned().filter(({ part }) => !this.taken.has(part) && (lane === URGENT || part % this.bulkLanes === lane));
  }

  private waiting(lane: number, free: readonly OwnedPartition[]): OwnedPartition[] {
    const { feed } = this.options;
    if (lane === URGENT) return free.filter(({ part }) => feed.urgent(part) > 0);
    const waiting = free.filter(({ part }) => feed.waiting(part));
    const ordinary = waiting.filter(({ part }) => feed.urgent(part) === 0);
    return ordinary.length > 0 ? ordinary : waiting;
  }

  private lagging(free: readonly OwnedPartition[]): PartitionInputs[] {
    const { feed } = this.options;
    return free.flatMap((partition) => {
      if (feed.waiting(partition.part)) return [];
      const { next } = feed.peek(partition.part, 0);
      return next - partition.cursor > IDLE_LAG ? [{ partition, inputs: [], next }] : [];
    });
  }

  /** The batch was dealt with, or failed; who waits for one of its partitions looks again. */
  private release(work: readonly PartitionInputs[]): void {
    for (const { partition } of work) this.taken.delete(partition.part);
    this.wake();
  }

  /** Undefined when the batch was dealt with: committed, or not ours any more. */
  private async decide(work: readonly PartitionInputs[], lane?: number): Promise<{ readonly cause: unknown } | undefined> {
    const { batch, urgentBatch = batch, ownership, feed } = this.options;
    try {
      const result = await (lane === URGENT ? urgentBatch : batch).execute(work);
      if (result.result.kind === 'lost') ownership.lose(result.result.parts);
      if (result.result.kind === 'stale' || result.result.kind === 'seen') return { cause: STALE };
      if (result.result.kind !== 'committed') return undefined;
      for (const { partition, next } of work) {
        ownership.moved(partition, next);
        feed.confirm(partition.part, next);
      }
      this.options.onCommitted(result);
      return undefined;
    } catch (cause) {
      return { cause };
    }
  }

  private async passOver({ partition, inputs, next }: PartitionInputs, error: unknown): Promise<boolean> {
    const passed = await this.decide([{ partition, inputs: [], next }]);
    if (passed !== undefined) return false;
    for (const input of inputs) this.options.onFault(input, error);
    return true;
  }
}

/** Not the fault of any input: a database that is away, or too slow to commit (a lock, a full disk). It is waited for; nothing is passed over. */
function isUnavailable(error: unknown): boolean {
  return PlexusError.isPlexusError(error) && error.retryable;
}
