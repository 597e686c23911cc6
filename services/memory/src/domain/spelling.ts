import type { Probe } from './evidence.js';
import { SCALE } from './evidence.js';
import type { QueryUnit } from './query.js';

/** A term of the memories that is spelt nearly like one of the query. */
export interface Correction {
  readonly term: string;
  readonly to: string;
  /** 0..1, by the trigrams that they share. */
  readonly similarity: number;
}

/** Shorter words have too few trigrams to be mistaken for one another only by mistake. */
const LEAST_LETTERS = 4;
const LATIN = /^\p{Script=Latin}+$/u;
/** Below it the words are others; two letters exchanged in a word of eight give 0.38. */
export const LEAST_SIMILARITY = 0.35;

/** Terms of a query that may be mistyped: Latin words, no numbers. */
export function correctable(units: readonly QueryUnit[]): string[] {
  return units.filter(({ term, prefix }) => !prefix && LATIN.test(term) && [...term].length >= LEAST_LETTERS).map(({ term }) => term);
}

/** Each correction is one more way to find its unit, worth its similarity: never as much as the word itself. */
export function probesOfCorrections(units: readonly QueryUnit[], corrections: readonly Correction[]): Probe[] {
  return corrections.flatMap(({ term, to, similarity }, index): Probe[] => {
    const unit = units.findIndex((one) => one.term === term);
    const weight = units[unit]?.weight;
    if (weight === undefined) return [];
    return [{ unit, variant: 2 + index, share: Math.round(weight * SCALE * Math.min(1, similarity)), term: to, prefix: false }];
  });
}
