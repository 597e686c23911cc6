import type { Correction } from '../domain/spelling.js';
import type { SearchFilter } from './ports.js';

/** What terms, spellings and near-duplicates need from the database. */

export interface OldTerms {
  readonly id: string;
  readonly content: string;
}

export interface Lexicon {
  /** Versions of terms that living memories of a tenant have. */
  versions(tenant: string): Promise<readonly number[]>;
  /** How many living memories have terms of another version. */
  pending(tenant: string, version: number): Promise<number>;
  /** Some of those with terms of an earlier version. */
  old(tenant: string, version: number, limit: number): Promise<OldTerms[]>;
  /** Gives a memory its terms of this version, unless it is gone or somebody was faster. */
  replace(tenant: string, version: number, entries: readonly { readonly id: string; readonly terms: readonly string[] }[]): Promise<number>;
}

export type SpellingProblem = 'trgm_extension_missing';

export interface Spelling {
  /** Terms of what a search may see that are spelt nearly like the given ones, or why that cannot be told. */
  corrections(tenant: string, filter: SearchFilter, terms: readonly string[]): Promise<readonly Correction[] | SpellingProblem>;
  /** `latin`: the locale of the database knows no letters beyond ASCII, so nothing else can be compared; undefined: no pg_trgm. */
  reach(): Promise<'all' | 'latin' | undefined>;
}

export type LinkedBy = 'vectors' | 'terms';

export interface Link {
  readonly id: string;
  readonly similarity: number;
  readonly by: LinkedBy;
}

/** A memory that was not compared with the others of its place yet. */
export interface Uncompared {
  readonly id: string;
  readonly content: string;
  readonly terms: readonly string[];
  /** It has exactly one vector of the model. */
  readonly hasVector: boolean;
}

export interface Likeness extends Link {
  readonly content: string;
}

export interface LinkStore {
  /** Living memories behind `after` that were never compared, or not yet by the vectors of `table`. */
  uncompared(tenant: string, model: { readonly id: string; readonly table: string } | undefined, after: string, limit: number): Promise<Uncompared[]>;
  /** Others of the same place and namespace that share enough terms. */
  likeByTerms(tenant: string, one: Uncompared, leastJaccard: number): Promise<Likeness[]>;
  /** Others of the same place and namespace whose only vector is near enough. */
  likeByVectors(tenant: string, one: Uncompared, table: string, leastCosine: number): Promise<Likeness[]>;
  /** Links a memory with others and notes with what it was compared. */
  link(tenant: string, id: string, links: readonly Link[], comparedWith: string, at: Date): Promise<void>;
  /** Which of the given ones are linked with each other. */
  among(tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  /** Living ones linked with one memory, the nearest first. */
  of(tenant: string, id: string, now: Date): Promise<Link[]>;
}
