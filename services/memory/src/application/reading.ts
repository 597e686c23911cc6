import { type Probe, probesOf, totalShare } from '../domain/evidence.js';
import type { LexRules } from '../domain/lex-rules.js';
import type { QueryUnit } from '../domain/query.js';
import { type Correction, correctable, probesOfCorrections } from '../domain/spelling.js';
import type { Spelling, SpellingProblem } from './lexicon-ports.js';
import type { SearchFilter } from './ports.js';

/** A query as one version of the rules reads it, for the memories that have terms of that version. */
export interface Reading {
  readonly units: readonly QueryUnit[];
  readonly probes: readonly Probe[];
  readonly total: number;
  readonly corrections: readonly Correction[];
  /** Which memories it is for: absent where all have the same version. */
  readonly lexVersion?: number;
}

/** Reads a query by one version; nothing at all where only vectors may count. */
export function readBy(rules: LexRules, query: string, countsWords: boolean, lexVersion?: number): Reading {
  const units = countsWords ? rules.readQuery(query) : [];
  return { units, probes: probesOf(units), total: totalShare(units), corrections: [], ...(lexVersion === undefined ? {} : { lexVersion }) };
}

/** Adds spellings that are nearly right, or says why it cannot. */
export async function corrected(
  reading: Reading,
  tenant: string,
  filter: SearchFilter,
  spelling: Spelling | undefined,
): Promise<{ readonly reading: Reading; readonly problem?: SpellingProblem | 'trgm_unusable_locale' }> {
  const terms = correctable(reading.units);
  const corrections = spelling === undefined ? 'trgm_extension_missing' : await spelling.corrections(tenant, filter, terms);
  if (typeof corrections === 'string') return { reading, problem: corrections };
  const isBeyondLatin = terms.length < reading.units.length && reading.units.some(({ term }) => /[^\p{ASCII}]/u.test(term));
  const problem = isBeyondLatin && (await spelling?.reach()) === 'latin' ? ('trgm_unusable_locale' as const) : undefined;
  const probes = [...reading.probes, ...probesOfCorrections(reading.units, corrections)];
  return { reading: { ...reading, probes, corrections }, ...(problem === undefined ? {} : { problem }) };
}
