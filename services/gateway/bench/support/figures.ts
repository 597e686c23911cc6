export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const round = (value: number): number => (value >= 100 ? Math.round(value) : Math.round(value * 1_000) / 1_000);

/** Prints one JSON line. */
export function print(name: string, unit: string, values: readonly number[], rest: { readonly ratioTo?: string; readonly goal?: string } = {}): void {
  const middle = round(median(values));
  const spread = { min: round(Math.min(...values)), max: round(Math.max(...values)), runs: values.length };
  process.stdout.write(`${JSON.stringify({ name, value: middle, unit, median: middle, ...spread, ...rest })}\n`);
}

/** Ratios of two figures turn by turn: what both saw at nearly the same time. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, turn) => value / (to[turn] as number));
}
