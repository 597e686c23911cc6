/** The most that words alone, and meaning alone, can be worth; nothing but equality reaches 1. */
const LEXICAL_CEILING = 0.8;
const SEMANTIC_CEILING = 0.9;

export interface Signals {
  /** Share of the query's weight that the memory holds, 0..1. */
  readonly lex: number;
  /** Calibrated similarity of meaning, 0..1; absent without a vector, which counts as no evidence. */
  readonly sem?: number;
  /** Query and memory are the same text after normalisation. */
  readonly equal: boolean;
}

/**
 * Relevance of one memory for one query, 0..1. It belongs to the pair and to nothing else: not to the number of hits asked for, not
 * to what else is stored. 0.8 and above: all words are there; around 0.5: clearly related; below 0.2: weak.
 */
export function relevance({ lex, sem = 0, equal }: Signals): number {
  if (equal) return 1;
  const score = 1 - (1 - SEMANTIC_CEILING * sem) * (1 - LEXICAL_CEILING * lex);
  return Math.round(score * 1e6) / 1e6;
}

/** What a cosine says beyond what unrelated texts of that model have in common: 0 at the floor, 1 for the same direction. */
export function semanticEvidence(cosine: number, floor: number): number {
  return Math.min(1, Math.max(0, (cosine - floor) / (1 - floor)));
}
