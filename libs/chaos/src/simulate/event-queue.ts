/** A clock that jumps from event to event: the core of a discrete-event simulation. Events at the same time happen in the order in which they were planned. */
export class EventQueue {
  private readonly heap: { readonly at: number; readonly order: number; readonly action: () => void }[] = [];
  private planned = 0;
  now = 0;

  /** Plans an action `delay` from now; a negative one is now. */
  after(delay: number, action: () => void): void {
    this.push({ at: this.now + Math.max(0, delay), order: this.planned++, action });
  }

  /** Runs until nothing is planned any more, or the clock would pass `until`. */
  run(until = Number.POSITIVE_INFINITY): void {
    for (let next = this.heap[0]; next !== undefined && next.at <= until; next = this.heap[0]) {
      this.pop();
      this.now = next.at;
      next.action();
    }
  }

  private push(event: (typeof this.heap)[number]): void {
    const { heap } = this;
    heap.push(event);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at] as typeof event, heap[parent] as typeof event)) break;
      [heap[at], heap[parent]] = [heap[parent] as typeof event, heap[at] as typeof event];
      at = parent;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      for (const child of [left, right]) {
        if (child < heap.length && before(heap[child] as typeof last, heap[least] as typeof last)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as typeof last, heap[at] as typeof last];
      at = least;
    }
  }
}

const before = (one: { at: number; order: number }, other: { at: number; order: number }): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);

/** Several servers behind one queue, first come first served. */
export class Station {
  private busy = 0;
  private readonly waiting: { readonly serviceTime: number; readonly done: () => void }[] = [];
  private head = 0;
  /** Time that servers were at work. */
  worked = 0;

  constructor(
    private readonly queue: EventQueue,
    private readonly servers: number,
  ) {}

  /** Number of customers that wait. */
  get length(): number {
    return this.waiting.length - this.head;
  }

  serve(serviceTime: number, done: () => void): void {
    if (this.busy >= this.servers) {
      this.waiting.push({ serviceTime, done });
      return;
    }
    this.begin(serviceTime, done);
  }

  private forgetServed(): void {
    if (this.head <= 1_024 || this.head * 2 <= this.waiting.length) return;
    this.waiting.splice(0, this.head);
    this.head = 0;
  }

  private begin(serviceTime: number, done: () => void): void {
    this.busy += 1;
    this.worked += serviceTime;
    this.queue.after(serviceTime, () => {
      this.busy -= 1;
      const next = this.waiting[this.head];
      if (next !== undefined) {
        this.head += 1;
        this.forgetServed();
        this.begin(next.serviceTime, next.done);
      }
      done();
    });
  }
}
