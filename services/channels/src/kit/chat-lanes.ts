/** Runs work in order per chat and at most `limit` at once over all chats; more than `maxWaiting` are refused. */
export class ChatLanes {
  private readonly tails = new Map<string, Promise<unknown>>();
  private readonly free: (() => void)[] = [];
  private running = 0;
  private accepted = 0;

  constructor(
    private readonly limit: number,
    private readonly maxWaiting: number,
  ) {}

  get size(): number {
    return this.accepted;
  }

  /** Undefined when too much waits already. */
  run<T>(chat: string, work: () => Promise<T>): Promise<T> | undefined {
    if (this.accepted >= this.limit + this.maxWaiting) return undefined;
    this.accepted += 1;
    const before = this.tails.get(chat) ?? Promise.resolve();
    const mine = before.then(async () => {
      await this.enter();
      try {
        return await work();
      } finally {
        this.leave();
      }
    });
    const tail = mine.then(
      () => undefined,
      () => undefined, // the failure belongs to whoever waits for `mine`; the next in line only waits for its end
    );
    this.tails.set(chat, tail);
    void tail.then(() => {
      this.accepted -= 1;
      if (this.tails.get(chat) === tail) this.tails.delete(chat);
    });
    return mine;
  }

  private async enter(): Promise<void> {
    if (this.running >= this.limit) await new Promise<void>((resolve) => this.free.push(resolve));
    else this.running += 1;
  }

  private leave(): void {
    const next = this.free.shift();
    if (next === undefined) this.running -= 1;
    else next();
  }
}
