import type { Database } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import { DecideBatch } from '../../src/application/decide-batch.js';
import type { DecidingStore, FanOutJobs, OwnedPartition } from '../../src/application/deciding-ports.js';
import type { MatchEvent } from '../../src/application/match-event.js';
import { RememberedStates } from '../../src/application/remembered-states.js';
import type { Engine, LogInput, ReasonCode } from '../../src/domain/engine/types.js';
import type { InboxItem } from '../../src/domain/inbox-item.js';
import type { IncomingEvent } from '../../src/domain/incoming-event.js';
import type { MemoryLog } from './memory-log.js';

interface DecideHereOptions {
  readonly database: Database;
  readonly store: DecidingStore;
  readonly log: MemoryLog;
  readonly matching: MatchEvent;
  readonly jobs: FanOutJobs;
  readonly engine: Engine;
  onItem(user: string, item: InboxItem): void;
}

/** Matches and decides step by step, as often as a test says: whoever decides takes every partition, under whatever fence others had. */
export class DecideHere {
  readonly remembered = new RememberedStates();
  readonly faults: LogInput[] = [];
  private readonly batch: DecideBatch;
  private owned: OwnedPartition[] = [];

  constructor(private readonly options: DecideHereOptions) {
    const { engine, store } = options;
    this.batch = new DecideBatch({ engine, store, remembered: this.remembered, newEpoch: () => ulid(), onFault: (input) => this.faults.push(input) });
  }

  /** One event from its arrival to its decisions; gives their reasons, none when nothing was decided. */
  async execute(event: IncomingEvent): Promise<ReasonCode[]> {
    await this.match(event);
    return this.decideAll();
  }

  /** Only the first half: candidates are in the log. */
  async match(event: IncomingEvent): Promise<void> {
    const { log, matching, jobs } = this.options;
    log.now = Math.max(log.now, event.receivedAt);
    await matching.execute(event);
    for (const tenant of await jobs.tenants()) {
      for (let page = await jobs.claim(tenant, 2, 60_000); page !== undefined; page = await jobs.claim(tenant, 2, 60_000)) {
        await matching.page(page);
        await jobs.done(page);
      }
    }
  }

  /** Decides whatever the log holds. `limit`: inputs per partition and batch. */
  async decideAll(limit = 256): Promise<ReasonCode[]> {
    const reasons: ReasonCode[] = [];
    for (;;) {
      const step = await this.decideOnce(limit);
      if (step === 'lost') await this.takeOver();
      else if (step.length === 0 && !this.isBehind()) return reasons;
      else reasons.push(...step);
    }
  }

  /** One batch; `lost` when somebody else has taken over since. */
  async decideOnce(limit = 256): Promise<ReasonCode[] | 'lost'> {
    if (this.owned.length === 0) await this.takeOver();
    const { log } = this.options;
    const work = this.owned.flatMap((partition) => {
      const inputs = log.behind(partition.part, partition.cursor, limit);
      return inputs.length === 0 ? [] : [{ partition, inputs, next: (inputs.at(-1) as LogInput).seq }];
    });
    if (work.length === 0) return [];
    const { result, items, decisions } = await this.batch.execute(work);
    if (result.kind === 'lost') return 'lost';
    if (result.kind === 'stale') return [];
    this.owned = this.owned.map((partition) => ({ ...partition, cursor: work.find((one) => one.partition === partition)?.next ?? partition.cursor }));
    for (const { user, item } of items) this.options.onItem(user, item);
    return decisions.map(({ decision }) => decision.reason);
  }

  /** Raises every fence. */
  async takeOver(): Promise<void> {
    const sql = 'UPDATE partition_cursor SET fence = fence + 1 RETURNING part, fence, stream_seq AS cursor';
    this.owned = await this.options.database.query<OwnedPartition>('test_take_over', sql);
    for (const { part } of this.owned) this.remembered.forget(part);
  }

  /** Owns and remembers nothing. */
  clear(): void {
    this.owned = [];
    this.faults.length = 0;
    for (let part = 0; part < 64; part += 1) this.remembered.forget(part);
  }

  private isBehind(): boolean {
    return this.owned.some(({ part, cursor }) => this.options.log.behind(part, cursor, 1).length > 0);
  }
}
