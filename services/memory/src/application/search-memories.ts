import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Caller } from '../domain/access.js';
import { CURRENT_RULES, EARLIER_RULES, type LexRules } from '../domain/lex-rules.js';
import { equalityForm, storedText } from '../domain/memory-text.js';
import { collapse } from '../domain/near-duplicates.js';
import { asksForLikeness } from '../domain/query.js';
import { comparePositions, diversify, positionOf } from '../domain/ranking.js';
import { decodeSearchCursor, encodeSearchCursor, type SearchCursor } from '../domain/search-cursor.js';
import { type EmbeddingModels, type ModelProblem, scanOf } from './embedding-models.js';
import { describeFound, type Found, findCandidates, type Prepared } from './find-candidates.js';
import type { Lexicon, LinkStore, Spelling } from './lexicon-ports.js';
import { hashOf, macOf } from './macs.js';
import type { MemoryReader, SearchFilter, TenantKeys, VectorCoverage } from './ports.js';
import { corrected, type Reading, readBy } from './reading.js';
import { requireViews } from './require-scope.js';
import type { SearchAnswer, SearchRequest, VectorArm } from './search-types.js';
import { similarityOf } from './similarity.js';

export type { Explanation, ScoredMemory, SearchAnswer, SearchRequest } from './search-types.js';

/** What a search can do beside words and vectors; without them it does without. */
export interface SearchExtras {
  readonly lexicon?: Lexicon;
  readonly spelling?: Spelling;
  readonly links?: Pick<LinkStore, 'among'>;
  /** Today's rules and those before them. */
  readonly rules?: LexRules;
  readonly earlier?: readonly LexRules[];
}

const COVERAGE_CACHED_MS = 60_000;
/** While vectors are on their way the share grows by the second. */
const PENDING_CACHED_MS = 2_000;
const MAX_CACHED = 1_000;
const MMR_POOL = 50;
/** How long a tenant is believed to have no terms of other versions: another replica may still write them. */
const VERSIONS_CACHED_MS = 30_000;

/** Finds memories by their words and, where a model serves, by vectors. Every answer says how it was found. */
export class SearchMemories {
  readonly #versions = new Map<string, { readonly versions: readonly number[]; readonly until: number }>();
  readonly #coverage = new Map<string, { readonly coverage: VectorCoverage; readonly until: number }>();

  constructor(
    private readonly reader: MemoryReader,
    private readonly keys: TenantKeys,
    private readonly models: EmbeddingModels,
    private readonly clock: Clock,
    private readonly extras: SearchExtras = {},
  ) {}

  /** Best first. Fails with FORBIDDEN for a scope of somebody else, INVALID_REQUEST for a cursor of another search. */
  async execute(caller: Caller, request: SearchRequest): Promise<SearchAnswer> {
    const startedAt = this.clock.monotonic();
    const key = await this.keys.macKey(caller.tenant);
    const query = hashOf({ ...request, cursor: undefined, k: undefined, explain: undefined, user: caller.user });
    const cursor = request.cursor === undefined ? undefined : requireCursor(request, query, key);
    const { prepared, problem } = await this.#prepare(caller, request, cursor, key);
    const arm = await this.#vectorArm(caller, request, prepared, key);
    const { kept, hidden } = await this.#collapsed(caller, request, await findCandidates(this.reader, caller, request, prepared, arm));
    const { page, rest } = await this.#page(caller, request, prepared, arm, kept, cursor);
    const described = await describeFound(this.reader, caller, request, prepared, arm, page);
    const hits = described.map((hit) => (hidden.has(hit.id) ? { ...hit, nearDuplicates: hidden.get(hit.id) ?? [] } : hit));
    const corrections = prepared.readings.flatMap((reading) => reading.corrections);
    const last = page.at(-1)?.ranked;
    const asOf = prepared.filter.asOf?.getTime() ?? prepared.filter.now.getTime();
    const degraded = degradation(prepared, arm) ?? problem;
    return {
      hits,
      mode: modeOf(request, prepared, arm),
      ...(degraded === undefined ? {} : { degraded }),
      semantic: arm.vector !== undefined && arm.serving?.record.model.kind === 'semantic',
      order: request.mmr === true ? 'mmr' : prepared.ranking.orderBy,
      ...(arm.serving === undefined || arm.vector === undefined ? {} : { model: arm.serving.record.model.id, vectorScan: arm.vector.scan }),
      ...(arm.coverage === undefined ? {} : { coverage: arm.coverage.visible === 0 ? 1 : arm.coverage.embedded / arm.coverage.visible }),
      ...(rest && last !== undefined && request.mmr !== true ? { nextCursor: encodeSearchCursor({ ...positionOf(last), query, asOf }, key) } : {}),
      ...(corrections.length === 0 ? {} : { corrections }),
      exhausted: !rest,
      tookMs: Math.round((this.clock.monotonic() - startedAt) * 1_000) / 1_000,
    };
  }

  async #prepare(caller: Caller, request: SearchRequest, cursor: SearchCursor | undefined, key: Uint8Array) {
    const asOf = request.asOf === undefined ? cursor?.asOf : Date.parse(request.asOf);
    const filter: SearchFilter = {
      visible: requireViews(caller, request.scopes),
      ...(request.namespace === undefined ? {} : { namespace: storedText(request.namespace) }),
      ...(request.kinds === undefined || request.kinds.length === 0 ? {} : { kinds: request.kinds }),
      ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
      matchMac: macOf(key, equalityForm(request.query)),
      now: new Date(this.clock.now()),
      ...(asOf === undefined ? {} : { asOf: new Date(asOf) }),
      includeHistory: request.includeHistory ?? false,
    };
    const ranking = { decay: request.decay ?? false, importance: request.importance ?? false, orderBy: request.orderBy ?? 'score' } as const;
    const [first, ...others] = await this.#readings(caller.tenant, request);
    if (request.typos !== true) return { prepared: { readings: [first, ...others], filter, ranking } satisfies Prepared as Prepared };
    const { reading, problem } = await corrected(first, caller.tenant, filter, this.extras.spelling);
    return { prepared: { readings: [reading, ...others], filter, ranking } satisfies Prepared as Prepared, problem };
  }

  /** By today's rules, and by each earlier one by which memories of this tenant were written and not made anew yet. */
  async #readings(tenant: string, request: SearchRequest): Promise<readonly [Reading, ...Reading[]]> {
    const { rules = CURRENT_RULES, earlier = EARLIER_RULES } = this.extras;
    const words = request.mode !== 'vector';
    const versions = earlier.length === 0 ? [] : await this.#versionsOf(tenant);
    const others = earlier.filter(({ version }) => versions.includes(version));
    if (others.length === 0) return [readBy(rules, request.query, words)];
    return [readBy(rules, request.query, words, rules.version), ...others.map((old) => readBy(old, request.query, words, old.version))];
  }

  async #versionsOf(tenant: string): Promise<readonly number[]> {
    const known = this.#versions.get(tenant);
    if (known !== undefined && this.clock.monotonic() < known.until) return known.versions;
    const versions = (await this.extras.lexicon?.versions(tenant)) ?? [];
    if (this.#versions.size >= MAX_CACHED) this.#versions.clear();
    this.#versions.set(tenant, { versions, until: this.clock.monotonic() + VERSIONS_CACHED_MS });
    return versions;
  }

  async #collapsed({ tenant }: Caller, request: SearchRequest, found: readonly Found[]) {
    const idOf = ({ candidate }: Found) => candidate.id;
    const links = request.collapse === true ? await this.extras.links?.among(tenant, found.map(idOf)) : undefined;
    return collapse(found, idOf, links ?? new Map());
  }

  /** Everything about vectors; without one it says why. Likeness to a single character needs none. */
  async #vectorArm({ tenant }: Caller, request: SearchRequest, { readings, filter }: Prepared, key: Uint8Array): Promise<VectorArm> {
    if (request.mode === 'text' || (request.mode !== 'vector' && asksForLikeness(readings[0].units))) return {};
    const serving = await this.models.active();
    if (typeof serving === 'string') return { degraded: DEGRADED[serving] };
    const { record, embedding } = serving;
    const text = storedText(request.query);
    const vector = await embedding.ofQuery(text, `${tenant}\0${Buffer.from(macOf(key, text)).toString('base64')}`);
    if (typeof vector === 'string') return { degraded: DEGRADED[vector] };
    const coverage = await this.#coverageOf(tenant, filter, record.table);
    const scan = scanOf(record, tenant, coverage.visible);
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

function degradation({ readings: [{ units }] }: Prepared, arm: VectorArm): string | undefined {
  return units.length === 0 && arm.vector === undefined ? (arm.degraded ?? 'query_has_no_terms') : arm.degraded;
}

function modeOf(request: SearchRequest, { readings: [{ units }] }: Prepared, arm: VectorArm): SearchAnswer['mode'] {
  if (arm.vector !== undefined) {
    if (request.mode === 'vector') return 'vector';
    return arm.serving?.record.model.kind === 'semantic' ? 'hybrid' : 'hybrid-lexical';
  }
  return request.mode !== 'vector' && asksForLikeness(units) ? 'like' : 'text';
}

function requireCursor(request: SearchRequest, query: string, key: Uint8Array): SearchCursor {
  const cursor = request.mmr === true ? undefined : decodeSearchCursor(request.cursor as string, key);
  if (cursor?.query === query) return cursor;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'cursor', message: 'is not a cursor of this search; begin again without one' }] } });
}
