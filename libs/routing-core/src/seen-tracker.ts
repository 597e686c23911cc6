export interface SeenTrackerOptions {
  /** Ids remembered; the least recently seen makes room. Default 100 000. */
  readonly maxEntries?: number;
  /** An id is forgotten once it is older than this. Default one hour. */
  readonly ttlMs?: number;
  /** Milliseconds of one clock. */
  readonly now: () => number;
}

/** Remembers what was seen lately, by use. Unlike a dedupe, the question itself counts as seeing. */
export class SeenTracker {
  private readonly seenAt = new Map<string, number>();
  private readonly maxEntries: number;
  private readonly ttlMs: number;
  private readonly now: () => number;

  constructor({ maxEntries = 100_000, ttlMs = 3_600_000, now }: SeenTrackerOptions) {
    if (!Number.isInteger(maxEntries) || maxEntries < 1) throw new RangeError(`a tracker needs room for one id at least, got ${maxEntries}`);
    this.maxEntries = maxEntries;
    this.ttlMs = ttlMs;
    this.now = now;
  }

  get size(): number {
    return this.seenAt.size;
  }

  /** Whether the id was seen before; from now on it was. */
  has(id: string): boolean {
    const known = this.peek(id);
    this.add(id);
    return known;
  }

  /** Whether the id was seen; changes nothing. */
  peek(id: string): boolean {
    const at = this.seenAt.get(id);
    return at !== undefined && this.now() - at <= this.ttlMs;
  }

  add(id: string): void {
    this.seenAt.delete(id);
    this.seenAt.set(id, this.now());
    const oldest = this.seenAt.keys().next();
    if (this.seenAt.size > this.maxEntries && !oldest.done) this.seenAt.delete(oldest.value);
  }

  delete(id: string): void {
    this.seenAt.delete(id);
  }

  clear(): void {
    this.seenAt.clear();
  }

  /** Remembers a list, oldest first; only its end when it is longer than there is room. */
  seed(ids: readonly string[]): void {
    for (const id of ids.slice(-this.maxEntries)) this.add(id);
  }
}
