import { type Clock, systemClock } from './clock.js';

export interface LruDedupeOptions {
  /** Ids remembered; the least recently seen makes room. 2 000 unless given. */
  readonly limit?: number;
  /** An id older than this is new again; no limit unless given. */
  readonly ttlMs?: number;
  readonly clock?: Pick<Clock, 'now'>;
}

/** Remembers ids that were seen lately. Ids are trimmed and case-sensitive; blank ids are always new and never stored. */
export class LruDedupe {
  private readonly seen = new Map<string, number>();
  private readonly limit: number;
  private readonly ttlMs: number;
  private readonly clock: Pick<Clock, 'now'>;

  constructor(options: LruDedupeOptions = {}) {
    this.limit = options.limit ?? 2_000;
    this.ttlMs = options.ttlMs ?? Number.POSITIVE_INFINITY;
    this.clock = options.clock ?? systemClock;
    if (!Number.isInteger(this.limit) || this.limit < 1) throw new RangeError(`dedupe limit must be a whole number ≥ 1, got ${this.limit}`);
  }

  get size(): number {
    return this.seen.size;
  }

  /** True when the id is new (and now remembered); false for a repeat, which counts as seen just now. */
  mark(id: string | null | undefined): boolean {
    const key = id?.trim();
    if (!key) return true;
    const repeated = this.fresh(key);
    this.seen.delete(key);
    this.seen.set(key, this.clock.now());
    if (this.seen.size > this.limit) this.seen.delete(this.seen.keys().next().value as string);
    return !repeated;
  }

  /** Whether the id was seen; changes nothing. */
  has(id: string | null | undefined): boolean {
    const key = id?.trim();
    return key ? this.fresh(key) : false;
  }

  clear(): void {
    this.seen.clear();
  }

  private fresh(key: string): boolean {
    const at = this.seen.get(key);
    return at !== undefined && this.clock.now() - at <= this.ttlMs;
  }
}
