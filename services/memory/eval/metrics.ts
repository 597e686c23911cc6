import { Random } from './random.ts';

/** What is relevant to a query: 2 answers it, 1 is about the same. */
export type Gold = ReadonlyMap<string, 1 | 2>;

const DEPTH = 10;
const RESAMPLES = 1_000;

/** 1 when any answer is among the first `k`. */
export function recallAny(ranked: readonly string[], gold: Gold, k: number): number {
  return ranked.slice(0, k).some((id) => gold.get(id) === 2) ? 1 : 0;
}

/** Share of all answers that are among the first `k`. */
export function recallAll(ranked: readonly string[], gold: Gold, k: number): number {
  const answers = [...gold].filter(([, grade]) => grade === 2);
  return answers.filter(([id]) => ranked.slice(0, k).includes(id)).length / answers.length;
}

/** Normalised discounted cumulative gain of the first ten, gains 3 for an answer and 1 for what is about the same. */
export function ndcg(ranked: readonly string[], gold: Gold): number {
  const gain = (grade: number) => 2 ** grade - 1;
  const discounted = (grades: readonly number[]) => grades.reduce((sum, grade, index) => sum + gain(grade) / Math.log2(index + 2), 0);
  const best = [...gold.values()].sort((a, b) => b - a).slice(0, DEPTH);
  return discounted(ranked.slice(0, DEPTH).map((id) => gold.get(id) ?? 0)) / discounted(best);
}

/** 1 / rank of the first answer among the first ten, else 0. */
export function reciprocalRank(ranked: readonly string[], gold: Gold): number {
  const index = ranked.slice(0, DEPTH).findIndex((id) => gold.get(id) === 2);
  return index < 0 ? 0 : 1 / (index + 1);
}

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Mean with its 95 % interval over resampled queries; the same for the same values. */
export function bootstrap(values: readonly number[], seed = 1): Interval {
  const random = new Random(seed);
  const meanOf = (sample: readonly number[]) => sample.reduce((sum, value) => sum + value, 0) / sample.length;
  const means = Array.from({ length: RESAMPLES }, () => meanOf(values.map(() => random.pick(values)))).sort((a, b) => a - b);
  return { mean: meanOf(values), low: means[Math.floor(RESAMPLES * 0.025)] as number, high: means[Math.ceil(RESAMPLES * 0.975) - 1] as number };
}

/** Whether the first is better, query by query; `tie` when chance could have made the difference. */
export function compare(first: readonly number[], second: readonly number[]): 'better' | 'worse' | 'tie' {
  const { low, high } = bootstrap(first.map((value, index) => value - (second[index] as number)));
  return low > 0 ? 'better' : high < 0 ? 'worse' : 'tie';
}
