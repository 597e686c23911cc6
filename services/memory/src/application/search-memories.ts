import type { Clock } from '@plexus/kernel';
import type { Caller, Scope } from '../domain/access.js';
import { probesOf, weigh } from '../domain/evidence.js';
import { equalityForm, storedText } from '../domain/memory-text.js';
import { asksForLikeness, readQuery } from '../domain/query.js';
import { relevance } from '../domain/score.js';
import { macOf } from './macs.js';
import type { MemoryKind, MemoryReader, SearchFilter, SearchHit, StoredMemory, TenantKeys, VectorSupport } from './ports.js';
import { requireViews } from './require-scope.js';

export interface SearchRequest {
  readonly query: string;
  /** Most hits, at most 50. */
  readonly k: number;
  readonly scopes?: readonly Scope[];
  readonly namespace?: string;
  readonly kinds?: readonly MemoryKind[];
  readonly minScore: number;
}

export interface ScoredMemory extends StoredMemory {
  readonly score: number;
  readonly matched: readonly string[];
  readonly missing: readonly string[];
}

export interface SearchAnswer {
  readonly hits: readonly ScoredMemory[];
  /** `text`: by terms; `like`: by a single character's prefix, or literally when the query has no terms at all. */
  readonly mode: 'text' | 'like';
  /** Why this is not the best search that there could be. */
  readonly degraded: 'query_has_no_terms' | 'vector_extension_missing' | 'embedder_unavailable';
  readonly semantic: false;
  readonly tookMs: number;
}

/** Finds memories by their words. Meaning (vectors) has no part in it yet, and every answer says so. */
export class SearchMemories {
  constructor(
    private readonly reader: MemoryReader,
    private readonly keys: TenantKeys,
    private readonly vectors: VectorSupport,
    private readonly clock: Clock,
  ) {}

  /** Best first; equal scores: newer first. Fails with FORBIDDEN for a scope of somebody else. */
  async execute(caller: Caller, request: SearchRequest): Promise<SearchAnswer> {
    const startedAt = this.clock.monotonic();
    const filter = await this.#filterFor(caller, request);
    const units = readQuery(request.query);
    const hits = units.length === 0 ? await this.#byFragment(caller, request, filter) : await this.#byTerms(caller, filter, units);
    return {
      hits: hits.filter(({ score }) => score >= request.minScore),
      mode: asksForLikeness(units) ? 'like' : 'text',
      degraded: units.length === 0 ? 'query_has_no_terms' : (await this.vectors.vectorExtension()) ? 'embedder_unavailable' : 'vector_extension_missing',
      semantic: false,
      tookMs: Math.round((this.clock.monotonic() - startedAt) * 1_000) / 1_000,
    };
  }

  async #filterFor(caller: Caller, request: SearchRequest): Promise<SearchFilter> {
    return {
      visible: requireViews(caller, request.scopes),
      ...(request.namespace === undefined ? {} : { namespace: storedText(request.namespace) }),
      ...(request.kinds === undefined || request.kinds.length === 0 ? {} : { kinds: request.kinds }),
      matchMac: macOf(await this.keys.macKey(caller.tenant), equalityForm(request.query)),
      now: new Date(this.clock.now()),
      limit: request.k,
    };
  }

  async #byTerms({ tenant }: Caller, filter: SearchFilter, units: ReturnType<typeof readQuery>): Promise<ScoredMemory[]> {
    const probes = probesOf(units);
    const hits = await this.reader.searchByTerms(tenant, filter, probes);
    return hits.map((hit) => {
      const { lex, matched, missing } = weigh(units, probes, new Set(hit.found));
      return scored(hit, relevance({ lex, equal: hit.equal }), matched, missing);
    });
  }

  async #byFragment({ tenant }: Caller, { query }: SearchRequest, filter: SearchFilter): Promise<ScoredMemory[]> {
    const fragment = storedText(query).trim();
    if (fragment === '') return [];
    const hits = await this.reader.searchByFragment(tenant, filter, fragment);
    return hits.map((hit) => scored(hit, relevance({ lex: 1, equal: hit.equal }), [fragment], []));
  }
}

function scored({ equal: _equal, found: _found, ...memory }: SearchHit, score: number, matched: readonly string[], missing: readonly string[]): ScoredMemory {
  return { ...memory, score, matched, missing };
}
