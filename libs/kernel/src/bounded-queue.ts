import { AbortedError, ClosedError } from './error-classes.js';

interface Waiter<T> {
  readonly resolve: (item: T) => void;
  readonly reject: (error: Error) => void;
}

/** First in, first out, with a bound: what does not fit is refused and counted, never stored and never silently lost. */
export class BoundedQueue<T> {
  private readonly ring: (T | undefined)[] = [];
  private head = 0;
  private count = 0;
  private closed = false;
  private readonly waiters = new Set<Waiter<T>>();
  /** Items refused so far because the queue was full or closed. */
  dropped = 0;

  constructor(readonly capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError(`queue capacity must be a whole number ≥ 1, got ${capacity}`);
  }

  get size(): number {
    return this.count;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Adds an item, or hands it to whoever waits. False = full or closed; the item was not taken. */
  push(item: T): boolean {
    if (this.closed) {
      this.dropped++;
      return false;
    }
    const [waiter] = this.waiters;
    if (waiter) {
      this.waiters.delete(waiter);
      waiter.resolve(item);
      return true;
    }
    if (this.count >= this.capacity) {
      this.dropped++;
      return false;
    }
    this.ring[(this.head + this.count) % this.capacity] = item;
    this.count++;
    return true;
  }

  /** Takes the oldest item; undefined when empty. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.ring[this.head];
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) % this.capacity;
    this.count--;
    return item;
  }

  /** The oldest item, waiting for one if need be. Rejects with `AbortedError` on abort, with `ClosedError` once closed and empty. */
  next(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(AbortedError.from(signal));
    if (this.count > 0) return Promise.resolve(this.shift() as T);
    if (this.closed) return Promise.reject(new ClosedError('the queue is closed'));
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        this.waiters.delete(waiter);
        reject(AbortedError.from(signal));
      };
      const waiter: Waiter<T> = {
        resolve: (item) => {
          signal?.removeEventListener('abort', stop);
          resolve(item);
        },
        reject: (error) => {
          signal?.removeEventListener('abort', stop);
          reject(error);
        },
      };
      this.waiters.add(waiter);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** Takes no more items; what is inside can still be read, then `next` rejects. */
  close(): void {
    this.closed = true;
    for (const waiter of this.waiters) waiter.reject(new ClosedError('the queue is closed'));
    this.waiters.clear();
  }

  /** Reads until the queue is closed and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.next();
      } catch (error) {
        if (error instanceof ClosedError) return;
        throw error;
      }
      yield item;
    }
  }
}
