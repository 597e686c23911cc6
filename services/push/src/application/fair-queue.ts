import { DeficitRoundRobin } from '../domain/deficit-round-robin.js';

/** Runs tasks of many tenants, a few at a time, so that each tenant gets the same share of cost. Bounded by its callers, who wait for their tasks. */
export class FairQueue {
  private readonly queue: DeficitRoundRobin<() => Promise<void>>;
  private running = 0;

  constructor(
    quantum: number,
    private readonly concurrency: number,
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
    while (this.running < this.concurrency) {
      const next = this.queue.next();
      if (next === undefined) return;
      this.running += 1;
      void next().finally(() => {
        this.running -= 1;
        this.startNext();
      });
    }
  }
}
