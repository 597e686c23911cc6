/** Runs work of one key one after the other, in the order in which it was given; work of different keys side by side. */
export class InOrder {
  private readonly last = new Map<string, Promise<unknown>>();

  run<T>(key: string | undefined, work: () => Promise<T>): Promise<T> {
    if (key === undefined) return work();
    // What happened to the one before is its own affair.
    const turn = (this.last.get(key) ?? Promise.resolve()).then(work, work);
    const ended = turn.then(ignore, ignore);
    this.last.set(key, ended);
    void ended.then(() => {
      if (this.last.get(key) === ended) this.last.delete(key);
    });
    return turn;
  }
}

function ignore(): void {}
