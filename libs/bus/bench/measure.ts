/** One printed figure. `ratioTo` names the figure that this one is divided by; `goal` is what the ratio should reach. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  readonly ratioTo?: string;
  readonly goal?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

const round = (value: number): number => (value >= 100 ? Math.round(value) : Math.round(value * 1_000) / 1_000);

/** Prints one JSON line. */
export function print(name: string, unit: string, values: readonly number[], rest: { readonly ratioTo?: string; readonly goal?: string } = {}): void {
  const middle = round(median(values));
  const figure: Figure = {
    name,
    value: middle,
    unit,
    median: middle,
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    runs: values.length,
    ...rest,
  };
  process.stdout.write(`${JSON.stringify(figure)}\n`);
}

/** Keeps `inFlight` operations going for `ms`; returns operations per second. */
export async function throughput(operation: () => Promise<unknown>, inFlight: number, ms: number): Promise<number> {
  const startedAt = performance.now();
  const endAt = startedAt + ms;
  let count = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < endAt) {
      await operation();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (count * 1_000) / (performance.now() - startedAt);
}

/** One operation after the other for `ms`; returns the median latency in milliseconds. */
export async function medianLatency(operation: () => Promise<unknown>, ms: number): Promise<number> {
  const latencies: number[] = [];
  const endAt = performance.now() + ms;
  for (let now = performance.now(); now < endAt; ) {
    const startedAt = now;
    await operation();
    now = performance.now();
    latencies.push(now - startedAt);
  }
  return percentile(latencies, 0.5);
}

export interface Variant {
  readonly name: string;
  readonly operation: () => Promise<unknown>;
}

/** Measures all variants in turn, several times over, so that drift of the machine hits them alike. */
export async function inTurns(variants: readonly Variant[], rounds: number, measure: (variant: Variant) => Promise<number>): Promise<Map<string, number[]>> {
  const results = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const variant of turn % 2 === 0 ? variants : [...variants].reverse()) results.get(variant.name)?.push(await measure(variant));
  }
  return results;
}

/** Ratios of two figures turn by turn: what both saw at nearly the same time. */
export function ratios(of: readonly number[] | undefined, to: readonly number[] | undefined): number[] {
  return (of ?? []).map((value, turn) => value / (to?.[turn] as number));
}
