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

/** What one slice showed. */
export interface Throughput {
  /** Operations per second. */
  readonly rate: number;
  /** Processor time of all measured processes per operation, in microseconds. */
  readonly cpu: number;
}

/** Processor time used so far by all measured processes, in microseconds. */
export type CpuMeter = () => Promise<number> | number;

export const ownCpu: CpuMeter = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Keeps `inFlight` operations going for `ms`. */
export async function throughput(operation: () => Promise<unknown>, inFlight: number, ms: number, meter: CpuMeter = ownCpu): Promise<Throughput> {
  const cpuBefore = await meter();
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
  const elapsedMs = performance.now() - startedAt;
  return { rate: (count * 1_000) / elapsedMs, cpu: ((await meter()) - cpuBefore) / count };
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
export async function inTurns<T>(variants: readonly Variant[], rounds: number, measure: (variant: Variant) => Promise<T>): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(variants.map(({ name }) => [name, []]));
  for (let turn = 0; turn < rounds; turn += 1) {
    for (const variant of turn % 2 === 0 ? variants : [...variants].reverse()) results.get(variant.name)?.push(await measure(variant));
  }
  return results;
}

/** One column of the results. */
export function column<K extends keyof Throughput>(results: Map<string, Throughput[]>, key: K): Map<string, number[]> {
  return new Map([...results].map(([name, values]) => [name, values.map((value) => value[key])]));
}

/** Ratios of two figures turn by turn: what both saw at nearly the same time. */
export function ratios(of: readonly number[] | undefined, to: readonly number[] | undefined): number[] {
  return (of ?? []).map((value, turn) => value / (to?.[turn] as number));
}
