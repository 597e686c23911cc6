const ROUNDS = 5;

export interface Side {
  readonly name: string;
  run(n: number): Promise<unknown>;
}

function print(name: string, unit: string, values: readonly number[], rest: { ratioTo?: string; goal?: string } = {}): void {
  const sorted = values.map((value) => Math.round(value * 1_000) / 1_000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  process.stdout.write(`${JSON.stringify({ name, value: median, unit, median, min: sorted[0], max: sorted.at(-1), runs: values.length, ...rest })}\n`);
}

/** Median of one round, in milliseconds. */
async function p50({ run }: Side, times: number): Promise<number> {
  const measured: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const startedAt = performance.now();
    await run(n);
    measured.push(performance.now() - startedAt);
  }
  return measured.sort((a, b) => a - b)[Math.floor(measured.length / 2)] as number;
}

/** Prints the p50 of both and their ratio; both sides in turns, so that drift of the machine hits them alike. The first round warms up. */
export async function against(ours: Side, bare: Side, goal: string, perRound = 40): Promise<void> {
  const rounds: { readonly ours: number; readonly bare: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const one = { ours: await p50(ours, perRound), bare: await p50(bare, perRound) };
    if (round > 0) rounds.push(one);
  }
  for (const [side, name] of [
    ['ours', ours.name],
    ['bare', bare.name],
  ] as const) {
    print(
      `${name}, p50`,
      'ms',
      rounds.map((one) => one[side]),
    );
  }
  const ratios = rounds.map((one) => one.ours / one.bare);
  print(`${ours.name} / ${bare.name}`, 'ratio', ratios, { ratioTo: bare.name, goal });
}
