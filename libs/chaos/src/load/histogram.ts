/** Steps within each power of two: values are kept to within 1/64, under 2 %. */
const SUB_BUCKETS = 64;

export interface HistogramJson {
  readonly counts: readonly (readonly [number, number])[];
  readonly max: number;
}

/** Durations in ms with a bounded relative error, however many there are (the idea of HDR histograms): recorded in µs, from 1 µs to hours. */
export class Histogram {
  private readonly counts = new Map<number, number>();
  private total = 0;
  private sum = 0;
  private largest = 0;

  record(ms: number): void {
    const us = Math.max(1, Math.round(ms * 1_000));
    const at = indexOf(us);
    this.counts.set(at, (this.counts.get(at) ?? 0) + 1);
    this.total += 1;
    this.sum += ms;
    this.largest = Math.max(this.largest, ms);
  }

  get count(): number {
    return this.total;
  }

  get mean(): number {
    return this.total === 0 ? 0 : this.sum / this.total;
  }

  get max(): number {
    return this.largest;
  }

  /** The value that `share` (0 … 1) of all are not above, in ms; 0 without any. */
  percentile(share: number): number {
    if (this.total === 0) return 0;
    const wanted = Math.max(1, Math.ceil(share * this.total));
    let seen = 0;
    for (const [at, count] of [...this.counts].sort(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= wanted) return Math.min(this.largest, upperOf(at) / 1_000);
    }
    return this.largest;
  }

  merge(other: Histogram): void {
    for (const [at, count] of other.counts) this.counts.set(at, (this.counts.get(at) ?? 0) + count);
    this.total += other.total;
    this.sum += other.sum;
    this.largest = Math.max(this.largest, other.largest);
  }

  toJSON(): HistogramJson {
    return { counts: [...this.counts].sort(([a], [b]) => a - b).map(([at, count]) => [upperOf(at) / 1_000, count] as const), max: this.largest };
  }
}

function indexOf(us: number): number {
  if (us < SUB_BUCKETS) return us;
  const power = Math.floor(Math.log2(us)) - Math.log2(SUB_BUCKETS);
  return SUB_BUCKETS * (power + 1) + Math.floor(us / 2 ** power) - SUB_BUCKETS;
}

function upperOf(at: number): number {
  if (at < SUB_BUCKETS) return at;
  const power = Math.floor(at / SUB_BUCKETS) - 1;
  return (SUB_BUCKETS + (at % SUB_BUCKETS) + 1) * 2 ** power - 1;
}
