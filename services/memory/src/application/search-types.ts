import type { Scope } from '../domain/access.js';
import type { Correction } from '../domain/spelling.js';
import type { ServingModel } from './embedding-models.js';
import type { MemoryKind, QueryVector, StoredMemory, VectorCoverage, VectorScan } from './ports.js';

export interface SearchRequest {
  readonly query: string;
  /** Most hits, at most 50. */
  readonly k: number;
  readonly scopes?: readonly Scope[];
  readonly namespace?: string;
  readonly kinds?: readonly MemoryKind[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly minScore: number;
  /** Which signals may count; `auto` takes all there are. */
  readonly mode?: 'auto' | 'text' | 'vector';
  /** What was believed and true then. */
  readonly asOf?: string;
  readonly includeHistory?: boolean;
  readonly decay?: boolean;
  readonly importance?: boolean;
  readonly orderBy?: 'score' | 'rrf';
  /** Prefer hits that do not all say the same. */
  readonly mmr?: boolean;
  readonly explain?: boolean;
  /** Of near-duplicates only the best. */
  readonly collapse?: boolean;
  /** Also what is spelt nearly like the query. */
  readonly typos?: boolean;
  readonly cursor?: string;
}

/** Where a score comes from: recomputing it from these gives it again. */
export interface Explanation {
  readonly lex: number;
  readonly sem: number | null;
  readonly cos: number | null;
  readonly floor: number | null;
  readonly lexicalRank: number | null;
  readonly vectorRank: number | null;
  readonly rrf: number;
  readonly decay: number | null;
  readonly importance: number | null;
}

export interface ScoredMemory extends StoredMemory {
  readonly score: number;
  readonly rankScore: number;
  readonly matched: readonly string[];
  readonly missing: readonly string[];
  /** Hits that say nearly the same and stand behind this one. */
  readonly nearDuplicates?: readonly string[];
  readonly explain?: Explanation;
}

export interface SearchAnswer {
  readonly hits: readonly ScoredMemory[];
  /** `like`: by a single character's prefix, or literally when the query has no terms at all. */
  readonly mode: 'hybrid' | 'vector' | 'text' | 'hybrid-lexical' | 'like';
  /** Why this is not the best search that there could be. */
  readonly degraded?: string;
  /** Vectors that know meanings had a part in it. */
  readonly semantic: boolean;
  readonly order: 'score' | 'rrf' | 'mmr';
  readonly model?: string;
  readonly vectorScan?: VectorScan;
  /** Share of what could be found that has a vector. */
  readonly coverage?: number;
  readonly corrections?: readonly Correction[];
  readonly nextCursor?: string;
  readonly exhausted: boolean;
  readonly tookMs: number;
}

/** The side of a search that compares vectors. */
export interface VectorArm {
  readonly vector?: QueryVector;
  readonly serving?: ServingModel;
  readonly coverage?: VectorCoverage;
  readonly degraded?: string;
}
