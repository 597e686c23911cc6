import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Caller, Scope } from '../domain/access.js';
import { type Probe, probesOf, totalShare, weigh } from '../domain/evidence.js';
import { equalityForm, storedText } from '../domain/memory-text.js';
import { asksForLikeness, type QueryUnit, readQuery } from '../domain/query.js';
import { comparePositions, diversify, positionOf, type RankOptions, type Ranked, rank } from '../domain/ranking.js';
import { semanticEvidence } from '../domain/score.js';
import { decodeSearchCursor, encodeSearchCursor, type SearchCursor } from '../domain/search-cursor.js';
import { EXACT_UP_TO, type EmbeddingModels, type ModelProblem, type ServingModel, UNCALIBRATED_FLOOR } from './embedding-models.js';
import { hashOf, macOf } from './macs.js';
import type {
  Candidate,
  MemoryKind,
  MemoryReader,
  QueryVector,
  SearchFilter,
  SearchHit,
  StoredMemory,
  TenantKeys,
  VectorCoverage,
  VectorScan,
} from './ports.js';
import { requireViews } from './require-scope.js';
import { similarityOf } from './similarity.js';

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
  readonly nextCursor?: string;
  readonly exhausted: boolean;
  readonly tookMs: number;
}

interface Prepared {
  readonly units: readonly QueryUnit[];
  readonly probes: readonly Probe[];
  readonly total: number;
  readonly filter: SearchFilter;
  readonly ranking: RankOptions;
}

interface VectorArm {
  readonly vector?: QueryVector;
  readonly serving?: ServingModel;
  readonly coverage?: VectorCoverage;
  readonly degraded?: string;
}

const COVERAGE_CACHED_MS = 60_000;
/** While vectors are on their way the share grows by the second. */
const PENDING_CACHED_MS = 2_000;
const MAX_CACHED = 1_000;
const MMR_POOL = 50;

/** Finds memories by their words and, where a model serves, by vectors. Every answer says how it was found. */
export class SearchMemories {
  readonly #coverage = new Map<string, { readonly coverage: VectorCoverage; readonly until: number }>();

  constructor(
    private readonly reader: MemoryReader,
    private readonly keys: TenantKeys,
    private readonly models: EmbeddingModels,
    private readonly clock: Clock,
  ) {}

  /** Best first. Fails with FORBIDDEN for a scope of somebody else, INVALID_REQUEST for a cursor of another search. */
  async execute(caller: Caller, request: SearchRequest): Promise<SearchAnswer> {
    const startedAt = this.clock.monotonic();
    const key = await this.keys.macKey(caller.tenant);
    const query = hashOf({ ...request, cursor: undefined, k: undefined, explain: undefined, user: caller.user });
    const cursor = request.cursor === undefined ? undefined : requireCursor(request, query, key);
    const prepared = this.#prepare(caller, request, cursor, key);
    const arm = await this.#vectorArm(caller, request, prepared, key);
    const ranked = await this.#ranked(caller, request, prepared, arm);
    const { page, rest } = await this.#page(caller, request, prepared, arm, ranked, cursor);
    const hits = await this.#describe(caller, request, prepared, arm, page);
    const last = page.at(-1)?.ranked;
    const asOf = prepared.filter.asOf?.getTime() ?? prepared.filter.now.getTime();
    const degraded = degradation(prepared, arm);
    return {
      hits,
      mode: modeOf(request, prepared, arm),
      ...(degraded === undefined ? {} : { degraded }),
      semantic: arm.vector !== undefined && arm.serving?.record.model.kind === 'semantic',
      order: request.mmr === true ? 'mmr' : prepared.ranking.orderBy,
      ...(arm.serving === undefined || arm.vector === undefined ? {} : { model: arm.serving.record.model.id, vectorScan: arm.vector.scan }),
      ...(arm.coverage === undefined ? {} : { coverage: arm.coverage.visible === 0 ? 1 : arm.coverage.embedded / arm.coverage.visible }),
      ...(rest && last !== undefined && request.mmr !== true ? { nextCursor: encodeSearchCursor({ ...positionOf(last), query, asOf }, key) } : {}),
      exhausted: !rest,
      tookMs: Math.round((this.clock.monotonic() - startedAt) * 1_000) / 1_000,
    };
  }

  #prepare(caller: Caller, request: SearchRequest, cursor: SearchCursor | undefined, key: Uint8Array): Prepared {
    const units = request.mode === 'vector' ? [] : readQuery(request.query);
    const probes = probesOf(units);
    const asOf = request.asOf === undefined ? cursor?.asOf : Date.parse(request.asOf);
    return {
      units,
      probes,
      total: totalShare(units),
      ranking: { decay: request.decay ?? false, importance: request.importance ?? false, orderBy: request.orderBy ?? 'score' },
      filter: {
        visible: requireViews(caller, request.scopes),
        ...(request.namespace === undefined ? {} : { namespace: storedText(request.namespace) }),
        ...(request.kinds === undefined || request.kinds.length === 0 ? {} : { kinds: request.kinds }),
        ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
        matchMac: macOf(key, equalityForm(request.query)),
        now: new Date(this.clock.now()),
        ...(asOf === undefined ? {} : { asOf: new Date(asOf) }),
        includeHistory: request.includeHistory ?? false,
      },
    };
  }

  /** Everything about vectors; without one it says why. Likeness to a single character needs none. */
  async #vectorArm({ tenant }: Caller, request: SearchRequest, { units, filter }: Prepared, key: Uint8Array): Promise<VectorArm> {
    if (request.mode === 'text' || (request.mode !== 'vector' && asksForLikeness(units))) return {};
    const serving = await this.models.active();
    if (typeof serving === 'string') return { degraded: DEGRADED[serving] };
    const { record, embedding } = serving;
    const text = storedText(request.query);
    const vector = await embedding.ofQuery(text, `${tenant}\0${Buffer.from(macOf(key, text)).toString('base64')}`);
    if (typeof vector === 'string') return { degraded: DEGRADED[vector] };
    const coverage = await this.#coverageOf(tenant, filter, record.table);
    const scan = record.indexed && coverage.visible > EXACT_UP_TO ? 'hnsw' : 'exact';
    const building = await this.models.building();
    const pending = coverage.visible - coverage.embedded;
    const degraded = building !== undefined ? `model_building(${Math.floor(building.share * 100)}%)` : pending > 0 ? `vectors_pending(${pending})` : undefined;
    return { vector: { table: record.table, vector, scan }, serving, coverage, ...(degraded === undefined ? {} : { degraded }) };
  }

  async #coverageOf(tenant: string, filter: SearchFilter, table: string): Promise<VectorCoverage> {
    const { now: _now, matchMac: _mac, ...what } = filter;
    const key = hashOf([tenant, table, { ...what, asOf: filter.asOf?.getTime() }]);
    const known = this.#coverage.get(key);
    if (known !== undefined && this.clock.monotonic() < known.until) return known.coverage;
    const coverage = await this.reader.coverage(tenant, filter, table);
    if (this.#coverage.size >= MAX_CACHED) this.#coverage.clear();
    const complete = coverage.embedded === coverage.visible && coverage.visible > 0;
    this.#coverage.set(key, { coverage, until: this.clock.monotonic() + (complete ? COVERAGE_CACHED_MS : PENDING_CACHED_MS) });
    return coverage;
  }

  /** Every candidate that is relevant enough, in order. */
  async #ranked({ tenant }: Caller, request: SearchRequest, prepared: Prepared, arm: VectorArm): Promise<Found[]> {
    const { filter, probes, total, ranking } = prepared;
    const fragment = total === 0 && arm.vector === undefined ? storedText(request.query).trim() : undefined;
    if (fragment === '' || (fragment !== undefined && request.mode === 'vector')) return [];
    const candidates =
      fragment === undefined
        ? await this.reader.candidates(tenant, filter, probes, arm.vector)
        : await this.reader.candidatesByFragment(tenant, filter, fragment);
    const floor = floorOf(arm);
    const now = (filter.asOf ?? filter.now).getTime();
    return candidates
      .map((candidate): Found => {
        const lex = fragment === undefined ? (total === 0 ? 0 : candidate.evidence / total) : 1;
        const sem = candidate.cosine === undefined ? undefined : semanticEvidence(candidate.cosine, floor);
        const { importance, ...rest } = candidate;
        const input = { ...rest, lex, ...(sem === undefined ? {} : { sem }), ...(importance === undefined ? {} : { memoryImportance: importance }) };
        return { candidate, lex, sem, ranked: rank(input, ranking, now) };
      })
      .filter(({ ranked }) => ranked.score > 0 && ranked.score >= request.minScore)
      .sort((a, b) => comparePositions(positionOf(a.ranked), positionOf(b.ranked), ranking.orderBy));
  }

  async #page({ tenant }: Caller, request: SearchRequest, { ranking }: Prepared, arm: VectorArm, found: readonly Found[], cursor: SearchCursor | undefined) {
    if (request.mmr === true) {
      const pool = found.slice(0, MMR_POOL);
      const similarity = await similarityOf(
        this.reader,
        tenant,
        pool.map(({ candidate }) => candidate.id),
        arm.vector?.table,
        this.clock,
      );
      const picked = diversify(
        pool.map((one) => ({ ...one, rankScore: one.ranked.rankScore })),
        request.k,
        (a, b) => similarity(a.candidate.id, b.candidate.id),
      );
      return { page: picked, rest: false };
    }
    const behind = cursor === undefined ? found : found.filter(({ ranked }) => comparePositions(cursor, positionOf(ranked), ranking.orderBy) < 0);
    return { page: behind.slice(0, request.k), rest: behind.length > request.k };
  }

  async #describe({ tenant }: Caller, request: SearchRequest, prepared: Prepared, arm: VectorArm, page: readonly Found[]): Promise<ScoredMemory[]> {
    const { units, probes, filter } = prepared;
    const hits = await this.reader.hits(
      tenant,
      page.map(({ candidate }) => candidate.id),
      probes,
      filter.now,
    );
    const byId = new Map(hits.map((hit) => [hit.id, hit]));
    return page.flatMap((one) => {
      const hit = byId.get(one.candidate.id);
      return hit === undefined ? [] : [describe(hit, one, request, { units, probes }, arm)];
    });
  }
}

interface Found {
  readonly candidate: Candidate;
  readonly lex: number;
  readonly sem: number | undefined;
  readonly ranked: Ranked;
}

/** Only what is living has a vector to speak of; the rest of an answer is what a person may be shown. */
function describe(
  { found, ...memory }: SearchHit,
  one: Found,
  request: SearchRequest,
  { units, probes }: Pick<Prepared, 'units' | 'probes'>,
  arm: VectorArm,
): ScoredMemory {
  const { matched, missing } =
    units.length === 0 ? { matched: request.mode === 'vector' ? [] : literal(request), missing: [] } : weigh(units, probes, new Set(found));
  const { candidate, ranked, lex, sem } = one;
  return {
    ...memory,
    score: ranked.score,
    rankScore: ranked.rankScore,
    matched,
    missing,
    ...(request.explain === true
      ? {
          explain: {
            lex,
            sem: sem ?? null,
            cos: candidate.cosine ?? null,
            floor: candidate.cosine === undefined ? null : floorOf(arm),
            lexicalRank: candidate.lexicalRank ?? null,
            vectorRank: candidate.vectorRank ?? null,
            rrf: ranked.rrf,
            decay: ranked.decay ?? null,
            importance: ranked.importanceFactor ?? null,
          },
        }
      : {}),
  };
}

function literal({ query }: SearchRequest): string[] {
  const fragment = storedText(query).trim();
  return fragment === '' ? [] : [fragment];
}

const DEGRADED: Readonly<Record<ModelProblem | 'unavailable' | 'timeout' | 'breaker_open' | 'refused', string>> = {
  none_configured: 'embedder_unavailable',
  not_served: 'embedder_unavailable',
  canary_differs: 'embedder_unavailable',
  vector_extension_missing: 'vector_extension_missing',
  unavailable: 'embedder_unavailable',
  refused: 'embedder_unavailable',
  timeout: 'embedder_timeout',
  breaker_open: 'breaker_open',
};

function degradation({ units }: Prepared, arm: VectorArm): string | undefined {
  return units.length === 0 && arm.vector === undefined ? (arm.degraded ?? 'query_has_no_terms') : arm.degraded;
}

function modeOf(request: SearchRequest, { units }: Prepared, arm: VectorArm): SearchAnswer['mode'] {
  if (arm.vector !== undefined) {
    if (request.mode === 'vector') return 'vector';
    return arm.serving?.record.model.kind === 'semantic' ? 'hybrid' : 'hybrid-lexical';
  }
  return request.mode !== 'vector' && asksForLikeness(units) ? 'like' : 'text';
}

function floorOf({ serving }: VectorArm): number {
  return serving === undefined ? 0 : (serving.record.floor ?? UNCALIBRATED_FLOOR);
}

function requireCursor(request: SearchRequest, query: string, key: Uint8Array): SearchCursor {
  const cursor = request.mmr === true ? undefined : decodeSearchCursor(request.cursor as string, key);
  if (cursor?.query === query) return cursor;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'cursor', message: 'is not a cursor of this search; begin again without one' }] } });
}
