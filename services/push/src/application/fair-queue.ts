import type { Clock } from '@plexus/kernel';
import { DeficitRoundRobin } from '../domain/deficit-round-robin.js';
import type { GivingWay } from './giving-way.js';

/** Runs tasks of many tenants, a few at a time, so that each tenant gets the same share of cost. Bounded by its callers, who wait for their tasks. */
export class FairQueue {
  private readonly queue: DeficitRoundRobin<() => Promise<void>>;
  private running = 0;
  private resting = false;

  /** `rounds`: for what gives way to urgent things; tasks then begin together, round by round. */
  constructor(
    quantum: number,
    private readonly concurrency: number,
    private readonly rounds?: { readonly way: GivingWay; readonly clock: Pick<Clock, 'setTimeout' | 'monotonic'> },
  ) {
    this.queue = new DeficitRoundRobin(quantum);
  }

  /** Runs `task` when it is the tenant's turn; settles as it does. */
  run<T>(tenant: string, cost: number, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.queue.push(tenant, () => task().then(resolve, reject), cost);
      this.startNext();
    });
  }

  private startNext(): void {
    if (this.resting) return;
    let started = false;
    while (this.running < this.concurrency) {
      const next = this.queue.next();
      if (next === undefined) break;
      this.running += 1;
      started = true;
      void next().finally(() => {
        this.running -= 1;
        this.startNext();
      });
    }
    if (started) this.rest();
  }

  private rest(): void {
    if (this.rounds === undefined) return;
    const { way, clock } = this.rounds;
    const ms = way.restMs(clock.monotonic());
    if (ms === 0) return;
    this.resting = true;
    clock.setTimeout(() => {
      this.resting = false;
      this.startNext();
    }, ms);
  }
}
