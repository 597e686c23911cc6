const ROUNDS = 5;

export interface Side {
  readonly name: string;
  run(n: number): Promise<unknown>;
}

export function print(name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}): void {
  const sorted = values.map((value) => Math.round(value * 1_000) / 1_000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: values.length, ...rest })}\n`);
}

/** Median of one round, in milliseconds. */
async function p50(measured: readonly number[]): Promise<number> {
  return [...measured].sort((a, b) => a - b)[Math.floor(measured.length / 2)] as number;
}

/**
 * Prints the p50 of each side, and of the first against each of the others. All in turns, call by call, so that whatever else the machine does hits
 * them alike; the first round warms up. `goals` belong to the others, in their order.
 */
export async function against(ours: Side, others: readonly Side[], goals: readonly (string | undefined)[], perRound = 40, roundCount = ROUNDS): Promise<void> {
  const sides = [ours, ...others];
  const rounds: number[][] = [];
  for (let round = 0; round <= roundCount; round += 1) {
    const measured: number[][] = sides.map(() => []);
    for (let n = 0; n < perRound; n += 1) {
      for (const [index, side] of sides.entries()) {
        const startedAt = performance.now();
        await side.run(n);
        measured[index]?.push(performance.now() - startedAt);
      }
    }
    if (round > 0) rounds.push(await Promise.all(measured.map(p50)));
  }
  const of = (index: number) => rounds.map((round) => round[index] as number);
  for (const [index, { name }] of sides.entries()) print(`${name}, p50`, 'ms', of(index));
  for (const [index, other] of others.entries()) {
    const goal = goals[index];
    const ratios = rounds.map((round) => (round[0] as number) / (round[index + 1] as number));
    print(`${ours.name} / ${other.name}`, 'ratio', ratios, { ratioTo: other.name, ...(goal === undefined ? {} : { goal }) });
  }
}

/** Prints the rate of both with so many calls in flight, and the first as a share of the second. */
export async function ratesAgainst(ours: Side, bare: Side, inFlight: number, goal: string | undefined, perRound: number): Promise<void> {
  const rounds: { readonly ours: number; readonly bare: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const one = { ours: await rate(ours, inFlight, perRound), bare: await rate(bare, inFlight, perRound) };
    if (round > 0) rounds.push(one);
  }
  const what = `${inFlight} in flight`;
  print(
    `${ours.name}, ${what}`,
    'per s',
    rounds.map((one) => one.ours),
  );
  print(
    `${bare.name}, ${what}`,
    'per s',
    rounds.map((one) => one.bare),
  );
  const ratios = rounds.map((one) => one.ours / one.bare);
  print(`rate of ${ours.name}, ${what} / ${bare.name}`, 'ratio', ratios, { ratioTo: `${bare.name}, ${what}`, ...(goal === undefined ? {} : { goal }) });
}

async function rate({ run }: Side, inFlight: number, count: number): Promise<number> {
  let next = 0;
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return count / ((performance.now() - startedAt) / 1_000);
}
