import { sqlIdentifier } from '@plexus/database';
import { EXACT_UP_TO } from '../../application/embedding-models.js';
import type { QueryVector } from '../../application/ports.js';
import { LIVING } from './memory-row.js';

/** The same for every number of hits that is asked for: so a shorter list is the beginning of a longer one. */
export const POOL = 200;
/** A long memory has several vectors; so many of them are looked at to find {@link POOL} memories. */
export const CHUNK_POOL = POOL * 2;

export interface CandidateRow {
  readonly id: string;
  readonly equal: boolean;
  readonly evidence: string | number;
  readonly cosine: number | null;
  readonly lexical_rank: number | null;
  readonly vector_rank: number | null;
  readonly created_at: Date;
  readonly importance: number | null;
  readonly evergreen: boolean;
}

/**
 * What the caller may see: scopes `$3` (kinds), `$4` (ids), `$5` (owners, null = whoever), namespace `$6`, kinds `$7`, believed and true at `$8`
 * (null: now), with what was superseded if `$9`, metadata containing `$10`.
 */
const CONDITIONS = `${LIVING}
       AND ($6::text IS NULL OR m.namespace = $6) AND ($7::text[] IS NULL OR m.kind = ANY ($7))
       AND ($8::timestamptz IS NULL OR m.created_at <= $8)
       AND ($9::boolean OR m.superseded_at IS NULL OR m.superseded_at > $8)
       AND (m.valid_from IS NULL OR m.valid_from <= coalesce($8, $2)) AND (m.valid_to IS NULL OR m.valid_to > coalesce($8, $2))
       AND ($10::jsonb IS NULL OR m.metadata @> $10)`;
const IN_SCOPES = `
    SELECT m.* FROM unnest($3::text[], $4::text[], $5::text[]) AS scope (kind, id, owner)
      JOIN memory m ON m.tenant_id = $1 AND m.scope_kind = scope.kind AND m.scope_id = scope.id AND (scope.owner IS NULL OR m.owner = scope.owner)
     WHERE ${CONDITIONS}`;
/** Most searches look into one scope: then it is a condition like any other, and nothing to join. */
const IN_ONE_SCOPE = `
    SELECT m.* FROM memory m
     WHERE m.scope_kind = ($3::text[])[1] AND m.scope_id = ($4::text[])[1] AND (($5::text[])[1] IS NULL OR m.owner = ($5::text[])[1]) AND ${CONDITIONS}`;

/** Versions are numbers of ours and no parameter: nearly always there is one, and then no condition. */
export function visible({ lexVersion, oneScope = false }: { readonly lexVersion?: number | undefined; readonly oneScope?: boolean } = {}): string {
  const text = oneScope ? IN_ONE_SCOPE : IN_SCOPES;
  return lexVersion === undefined ? text : `${text} AND m.lex_version = ${Math.trunc(lexVersion)}`;
}

/** How a memory is weighed: by the sum of so many marks, or by the best variant of each unit. */
export type Weighing = { readonly marks: number } | 'variants';

const SUM = (lex: string, marks: number): string =>
  Array.from({ length: marks }, (_, n) => `CASE WHEN ${lex} @@ ($13::tsquery[])[${n + 1}] THEN ($14::bigint[])[${n + 1}] ELSE 0 END`).join(' + ');
/** A unit of the query is worth the better of its variants, a memory the sum over the units. */
const BEST = (lex: string): string => `
          (SELECT coalesce(sum(best.share), 0)
             FROM (SELECT max(variant.share) AS share
                     FROM (SELECT p.unit, sum(p.share) AS share
                             FROM unnest($13::tsquery[], $14::bigint[], $15::int[], $16::int[]) AS p (lexeme, share, unit, variant)
                            WHERE ${lex} @@ p.lexeme
                            GROUP BY p.unit, p.variant) variant
                    GROUP BY variant.unit) best)`;
/** A large vector of terms lies beside its row, packed: `OFFSET 0` keeps it from being fetched anew for every mark. */
const FETCHED_ONCE = (weight: (lex: string) => string): string => `(SELECT ${weight('held.lex')} FROM (SELECT m.lex || ''::tsvector AS lex OFFSET 0) held)`;
/** Smaller ones are in their row. */
const IN_ROW_BYTES = 2_000;

interface Evidence {
  /** Of any memory: most have nothing of a query, which is seen at one look. */
  readonly ofAny: string;
  /** Of one that was found by its words. */
  readonly ofFound: string;
}

/** What the terms of the memory `m` are worth: weighed completely, and from its own row. */
function evidence(weighing: Weighing): Evidence {
  const weighed =
    weighing === 'variants'
      ? FETCHED_ONCE(BEST)
      : `CASE WHEN pg_column_size(m.lex) < ${IN_ROW_BYTES} THEN ${SUM('m.lex', weighing.marks)} ELSE ${FETCHED_ONCE((lex) => SUM(lex, weighing.marks))} END`;
  return { ofAny: `CASE WHEN (m.lex @@ $12::tsquery) IS NOT TRUE THEN 0 ELSE ${weighed} END`, ofFound: weighed };
}

const BEST_BY_WORDS = 'equal DESC, evidence DESC, created_at DESC, id DESC';

/**
 * `$11` the MAC of the query, `$12` all of its terms as one query, `$13` marks and `$14` what they are worth (or lexemes, shares, `$15` units and
 * `$16` variants), and last the vector. One name always goes with one text.
 */
export function candidatesStatement(
  vector: Pick<QueryVector, 'table' | 'scan'> | undefined,
  weighing: Weighing,
  among: { readonly lexVersion?: number | undefined; readonly oneScope?: boolean } = {},
): { readonly name: string; readonly text: string } {
  const { lexVersion, oneScope } = among;
  const suffix = `${weighing === 'variants' ? 'v' : weighing.marks}${oneScope ? 's' : ''}${lexVersion === undefined ? '' : `_l${Math.trunc(lexVersion)}`}`;
  const text = vector === undefined ? byWords : vector.scan === 'exact' ? byWordsAndAllVectors : byWordsAndIndex;
  const kind = vector === undefined ? 'text' : `${vector.scan}_${vector.table}`;
  return {
    name: `memory_candidates_${kind}_${suffix}`,
    text: text(evidence(weighing), visible(among), vector?.table ?? '', weighing === 'variants' ? 17 : 15),
  };
}

const ranked = (from: string): string => `SELECT found.*, row_number() OVER (ORDER BY ${BEST_BY_WORDS}) AS rank
        FROM (${from}
               ORDER BY ${BEST_BY_WORDS}
               LIMIT ${POOL}) found`;

const bestByWords = ({ ofFound }: Evidence, visibleNow: string): string =>
  ranked(`SELECT m.id, m.match_mac = $11 AS equal, ${ofFound} AS evidence, m.created_at, m.importance, m.evergreen
                FROM (${visibleNow}) m
               WHERE m.match_mac = $11 OR m.lex @@ $12::tsquery`);

function byWords(weight: Evidence, visibleNow: string): string {
  return `
  SELECT id, equal, evidence, NULL::float8 AS cosine, rank::int AS lexical_rank, NULL::int AS vector_rank, created_at, importance, evergreen
    FROM (${bestByWords(weight, visibleNow)}) lexical`;
}

/** Every visible memory is read once, and weighed while it is at hand; vectors are compared with what that left of it. */
function byWordsAndAllVectors({ ofAny }: Evidence, visibleNow: string, tableName: string, vectorAt: number): string {
  const table = sqlIdentifier(tableName);
  const distance = `v.e <=> $${vectorAt}::halfvec`;
  return `
  WITH seen AS MATERIALIZED (
      SELECT m.id, m.match_mac = $11 AS equal, ${ofAny} AS evidence, m.created_at, m.importance, m.evergreen FROM (${visibleNow}) m
    ),
    lexical AS (${ranked('SELECT * FROM seen WHERE equal OR evidence > 0')}),
    near AS (
      SELECT best.*, row_number() OVER (ORDER BY distance, id DESC) AS rank
        FROM (SELECT id, min(distance) AS distance, bool_or(equal) AS equal, min(evidence) AS evidence, min(created_at) AS created_at,
                     min(importance) AS importance, bool_or(evergreen) AS evergreen
                FROM (SELECT seen.*, ${distance} AS distance
                        FROM ${table} v JOIN seen ON seen.id = v.memory_id
                       WHERE v.tenant_id = $1
                       ORDER BY distance
                       LIMIT ${CHUNK_POOL}) chunk
               GROUP BY id
               ORDER BY distance, id DESC
               LIMIT ${POOL}) best
    )
  SELECT coalesce(l.id, n.id) AS id, coalesce(l.equal, n.equal) AS equal, coalesce(l.evidence, n.evidence) AS evidence,
         1 - coalesce(n.distance, (SELECT min(${distance}) FROM ${table} v WHERE v.tenant_id = $1 AND v.memory_id = l.id)) AS cosine,
         l.rank::int AS lexical_rank, n.rank::int AS vector_rank, coalesce(l.created_at, n.created_at) AS created_at,
         coalesce(l.importance, n.importance) AS importance, coalesce(l.evergreen, n.evergreen) AS evergreen
    FROM lexical l FULL JOIN near n ON n.id = l.id`;
}

/** Each vector is checked by itself, as it comes out of the index: a join with everything visible would sort all of them instead. */
function byWordsAndIndex(weight: Evidence, visibleNow: string, tableName: string, vectorAt: number): string {
  const table = sqlIdentifier(tableName);
  const distance = `v.e <=> $${vectorAt}::halfvec`;
  return `
  WITH lexical AS (${bestByWords(weight, visibleNow)}),
    near AS (
      SELECT best.id, row_number() OVER (ORDER BY best.distance, best.id DESC) AS rank
        FROM (SELECT chunk.memory_id AS id, min(chunk.distance) AS distance
                FROM (SELECT v.memory_id, ${distance} AS distance
                        FROM ${table} v
                       WHERE v.tenant_id = $1 AND EXISTS (${visibleNow} AND m.id = v.memory_id OFFSET 0)
                       ORDER BY ${distance}
                       LIMIT ${CHUNK_POOL}) chunk
               GROUP BY chunk.memory_id
               ORDER BY distance, id DESC
               LIMIT ${POOL}) best
    ),
    candidate AS (SELECT id FROM lexical UNION SELECT id FROM near)
  SELECT m.id, m.match_mac = $11 AS equal, coalesce(l.evidence, ${weight.ofAny}) AS evidence, own.cosine, l.rank::int AS lexical_rank, n.rank::int AS vector_rank,
         m.created_at, m.importance, m.evergreen
    FROM candidate
    JOIN memory m ON m.tenant_id = $1 AND m.id = candidate.id
    LEFT JOIN lexical l ON l.id = m.id
    LEFT JOIN near n ON n.id = m.id
    CROSS JOIN LATERAL (SELECT 1 - min(${distance}) AS cosine FROM ${table} v WHERE v.tenant_id = $1 AND v.memory_id = m.id) own`;
}

/** `$11` the MAC of the query, `$12` the fragment. */
export const FRAGMENT_STATEMENT = `
  WITH visible AS (${visible()})
  SELECT m.id, m.match_mac = $11 AS equal, 0 AS evidence, NULL::float8 AS cosine, NULL::int AS lexical_rank, NULL::int AS vector_rank,
         m.created_at, m.importance, m.evergreen
    FROM visible m
   WHERE m.match_mac = $11 OR strpos(m.content, $12) > 0
   ORDER BY equal DESC, m.created_at DESC, m.id DESC
   LIMIT ${POOL}`;

export function coverageStatement(table: string): { readonly name: string; readonly text: string } {
  const text = `
  WITH visible AS (SELECT m.id FROM (${visible()}) m LIMIT ${EXACT_UP_TO + 1})
  SELECT count(*)::int AS visible,
         count(*) FILTER (WHERE EXISTS (SELECT FROM ${sqlIdentifier(table)} v WHERE v.tenant_id = $1 AND v.memory_id = visible.id AND v.chunk_no = 0))::int AS embedded
    FROM visible`;
  return { name: `memory_coverage_${table}`, text };
}
