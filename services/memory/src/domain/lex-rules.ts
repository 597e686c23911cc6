import { type QueryUnit, readQuery } from './query.js';
import { documentTerms, LEX_VERSION } from './tokeniser.js';

/** One version of how texts and queries become terms. Terms of different versions are not comparable, so each memory names its own. */
export interface LexRules {
  readonly version: number;
  documentTerms(text: string): string[];
  readQuery(query: string): QueryUnit[];
}

export const CURRENT_RULES: LexRules = { version: LEX_VERSION, documentTerms, readQuery };

/**
 * Rules of earlier versions, by which searches still read their queries for memories that were not made anew yet. Who raises LEX_VERSION moves
 * the former rules here; they may go when no database has their version any more.
 */
export const EARLIER_RULES: readonly LexRules[] = [];
