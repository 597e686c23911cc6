import { relevance, type Signals } from './score.js';

/** How the order of hits may differ from plain relevance; `score` itself never does. */
export interface RankOptions {
  /** Old memories count less: half of them after 30 days is what is left of the second half. */
  readonly decay: boolean;
  readonly importance: boolean;
  /** By ranks of the two arms instead of by score. */
  readonly orderBy: 'score' | 'rrf';
}

export interface RankInput extends Signals {
  readonly id: string;
  readonly lexicalRank?: number;
  readonly vectorRank?: number;
  readonly createdAt: Date;
  readonly memoryImportance?: number;
  readonly evergreen: boolean;
}

export interface Ranked {
  readonly id: string;
  readonly score: number;
  readonly rankScore: number;
  /** Reciprocal rank fusion (Cormack et al., 2009), k = 60: the tie-break, or the order where it is asked for. */
  readonly rrf: number;
  readonly createdAt: Date;
  readonly decay?: number;
  readonly importanceFactor?: number;
}

const RRF_K = 60;
const HALF_LIFE_MS = 30 * 24 * 60 * 60_000;

/** Pure relevance, and what the order is made of. */
export function rank(input: RankInput, options: RankOptions, now: number): Ranked {
  const score = relevance(input);
  const decay = options.decay && !input.evergreen ? 0.5 + 0.5 * 2 ** (-Math.max(0, now - input.createdAt.getTime()) / HALF_LIFE_MS) : undefined;
  const importanceFactor = options.importance && input.memoryImportance !== undefined ? 0.9 + 0.2 * input.memoryImportance : undefined;
  const rrf = (input.lexicalRank === undefined ? 0 : 1 / (RRF_K + input.lexicalRank)) + (input.vectorRank === undefined ? 0 : 1 / (RRF_K + input.vectorRank));
  return {
    id: input.id,
    score,
    rankScore: rounded(score * (decay ?? 1) * (importanceFactor ?? 1)),
    rrf: rounded(rrf),
    createdAt: input.createdAt,
    ...(decay === undefined ? {} : { decay }),
    ...(importanceFactor === undefined ? {} : { importanceFactor }),
  };
}

export type Position = Pick<Ranked, 'rankScore' | 'rrf' | 'id'> & { readonly createdAt: number };

/** Total order: rank score, then reciprocal ranks, then newer, then id. With `rrf` the first two change places. */
export function comparePositions(a: Position, b: Position, orderBy: RankOptions['orderBy']): number {
  const [first, second] = orderBy === 'rrf' ? (['rrf', 'rankScore'] as const) : (['rankScore', 'rrf'] as const);
  return b[first] - a[first] || b[second] - a[second] || b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

export function positionOf({ rankScore, rrf, id, createdAt }: Ranked): Position {
  return { rankScore, rrf, id, createdAt: createdAt.getTime() };
}

/** Share of the next pick that is relevance; the rest is being different from what was picked (Carbonell and Goldstein, 1998). */
const MMR_LAMBDA = 0.7;

/** Picks `k` of the best so that they do not all say the same. `similarity` is 0..1. */
export function diversify<T extends { readonly rankScore: number }>(ranked: readonly T[], k: number, similarity: (a: T, b: T) => number): T[] {
  const left = [...ranked];
  const picked: T[] = [];
  while (picked.length < k && left.length > 0) {
    let best = 0;
    let bestValue = Number.NEGATIVE_INFINITY;
    for (const [index, one] of left.entries()) {
      const closest = picked.reduce((most, other) => Math.max(most, similarity(one, other)), 0);
      const value = MMR_LAMBDA * one.rankScore - (1 - MMR_LAMBDA) * closest;
      if (value > bestValue) [best, bestValue] = [index, value];
    }
    picked.push(...left.splice(best, 1));
  }
  return picked;
}

/** Share of terms that two texts have in common. */
export function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 && b.size === 0) return 1;
  let common = 0;
  for (const term of a) if (b.has(term)) common += 1;
  return common / (a.size + b.size - common);
}

function rounded(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}
