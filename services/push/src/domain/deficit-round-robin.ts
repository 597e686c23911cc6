/**
 * Takes work from many queues so that each gets the same share of cost, however much the others hold (deficit round robin). A queue that
 * has been empty saves nothing up for later.
 */
export class DeficitRoundRobin<T> {
  private readonly queues = new Map<string, { readonly items: { readonly item: T; readonly cost: number }[]; deficit: number }>();
  /** Names of queues that hold something, in the order of their turns. */
  private turns: string[] = [];
  private held = 0;

  /** `quantum`: cost that each queue may spend per turn. */
  constructor(private readonly quantum: number) {
    if (!(quantum > 0)) throw new RangeError(`a quantum must be positive, not ${quantum}`);
  }

  get size(): number {
    return this.held;
  }

  sizeOf(queue: string): number {
    return this.queues.get(queue)?.items.length ?? 0;
  }

  push(queue: string, item: T, cost: number): void {
    this.held += 1;
    const known = this.queues.get(queue);
    if (known !== undefined) {
      known.items.push({ item, cost });
      return;
    }
    this.queues.set(queue, { items: [{ item, cost }], deficit: this.quantum });
    this.turns.push(queue);
  }

  /** The next item whose queue `mayRun`; undefined when none does. */
  next(mayRun: (queue: string) => boolean = () => true): T | undefined {
    const runnable = this.turns.filter(mayRun);
    if (runnable.length === 0) return undefined;
    for (;;) {
      for (const name of runnable) {
        const taken = this.take(name);
        if (taken !== undefined) return taken.item;
      }
    }
  }

  /** Takes from the head of one queue if its deficit covers the cost; else its turn is over, and the deficit grows for the next one. */
  private take(name: string): { readonly item: T } | undefined {
    const queue = this.queues.get(name);
    const head = queue?.items[0];
    if (queue === undefined || head === undefined) return undefined;
    if (head.cost > queue.deficit) {
      queue.deficit += this.quantum;
      this.turns = [...this.turns.filter((other) => other !== name), name];
      return undefined;
    }
    queue.deficit -= head.cost;
    queue.items.shift();
    this.held -= 1;
    if (queue.items.length === 0) {
      this.queues.delete(name);
      this.turns = this.turns.filter((other) => other !== name);
    }
    return { item: head.item };
  }
}
