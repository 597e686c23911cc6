import type { Caller } from '../domain/access.js';
import { weigh } from '../domain/evidence.js';
import { storedText } from '../domain/memory-text.js';
import { comparePositions, positionOf, type RankOptions, type Ranked, rank } from '../domain/ranking.js';
import { semanticEvidence } from '../domain/score.js';
import { UNCALIBRATED_FLOOR } from './embedding-models.js';
import type { Candidate, MemoryReader, SearchFilter, SearchHit } from './ports.js';
import type { Reading } from './reading.js';
import type { ScoredMemory, SearchRequest, VectorArm } from './search-types.js';

export interface Prepared {
  /** By today's rules first; more than one only while memories still have terms of earlier ones. */
  readonly readings: readonly [Reading, ...Reading[]];
  readonly filter: SearchFilter;
  readonly ranking: RankOptions;
}

/** One memory that is relevant enough, and by which reading it was found. */
export interface Found {
  readonly candidate: Candidate;
  readonly reading: Reading;
  readonly lex: number;
  readonly sem: number | undefined;
  readonly ranked: Ranked;
}

/** Every memory that is relevant enough, in order. */
export async function findCandidates(reader: MemoryReader, { tenant }: Caller, request: SearchRequest, prepared: Prepared, arm: VectorArm): Promise<Found[]> {
  const { filter, ranking, readings } = prepared;
  const now = (filter.asOf ?? filter.now).getTime();
  const fragment = readings[0].total === 0 && arm.vector === undefined ? storedText(request.query).trim() : undefined;
  if (fragment === '' || (fragment !== undefined && request.mode === 'vector')) return [];
  const found =
    fragment === undefined
      ? (await Promise.all(readings.map((reading) => byReading(reader, tenant, filter, reading, arm)))).flat()
      : (await reader.candidatesByFragment(tenant, filter, fragment)).map((candidate) => ({ candidate, reading: readings[0], lex: 1 }));
  const floor = floorOf(arm);
  return found
    .map(({ candidate, reading, lex }): Found => {
      const sem = candidate.cosine === undefined ? undefined : semanticEvidence(candidate.cosine, floor);
      const { importance, ...rest } = candidate;
      const input = { ...rest, lex, ...(sem === undefined ? {} : { sem }), ...(importance === undefined ? {} : { memoryImportance: importance }) };
      return { candidate, reading, lex, sem, ranked: rank(input, ranking, now) };
    })
    .filter(({ ranked }) => ranked.score > 0 && ranked.score >= request.minScore)
    .sort((a, b) => comparePositions(positionOf(a.ranked), positionOf(b.ranked), ranking.orderBy));
}

async function byReading(reader: MemoryReader, tenant: string, filter: SearchFilter, reading: Reading, arm: VectorArm) {
  const own = reading.lexVersion === undefined ? filter : { ...filter, lexVersion: reading.lexVersion };
  const candidates = await reader.candidates(tenant, own, reading.probes, arm.vector);
  return candidates.map((candidate) => ({ candidate, reading, lex: reading.total === 0 ? 0 : candidate.evidence / reading.total }));
}

/** What is shown of the chosen ones, in their order. */
export async function describeFound(
  reader: MemoryReader,
  { tenant }: Caller,
  request: SearchRequest,
  prepared: Prepared,
  arm: VectorArm,
  page: readonly Found[],
): Promise<ScoredMemory[]> {
  const byId = new Map<string, SearchHit>();
  for (const reading of prepared.readings) {
    const ids = page.filter((one) => one.reading === reading).map(({ candidate }) => candidate.id);
    for (const hit of await reader.hits(tenant, ids, reading.probes, prepared.filter.now)) byId.set(hit.id, hit);
  }
  return page.flatMap((one) => {
    const hit = byId.get(one.candidate.id);
    return hit === undefined ? [] : [describe(hit, one, request, arm)];
  });
}

/** Only what is living has a vector to speak of; the rest of an answer is what a person may be shown. */
function describe({ found, ...memory }: SearchHit, one: Found, request: SearchRequest, arm: VectorArm): ScoredMemory {
  const { candidate, reading, ranked, lex, sem } = one;
  const { units, probes } = reading;
  const { matched, missing } =
    units.length === 0 ? { matched: request.mode === 'vector' ? [] : literal(request), missing: [] } : weigh(units, probes, new Set(found));
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

function floorOf({ serving }: VectorArm): number {
  return serving === undefined ? 0 : (serving.record.floor ?? UNCALIBRATED_FLOOR);
}
