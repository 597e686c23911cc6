import { sqlIdentifier } from '@plexus/database';
import { EXACT_UP_TO } from '../../application/embedding-models.js';
import type { QueryVector } from '../../application/ports.js';
import { LIVING } from './memory-row.js';

/** The same for every number of hits that is asked for: so a shorter list is the beginning of a longer one. */
export const POOL = 200;
/** A long memory has several vectors; so many of them are looked at to find {@link POOL} memories. */
const CHUNK_POOL = POOL * 2;

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
const VISIBLE_NOW = `
    SELECT m.* FROM unnest($3::text[], $4::text[], $5::text[]) AS scope (kind, id, owner)
      JOIN memory m ON m.tenant_id = $1 AND m.scope_kind = scope.kind AND m.scope_id = scope.id AND (scope.owner IS NULL OR m.owner = scope.owner)
     WHERE ${LIVING}
       AND ($6::text IS NULL OR m.namespace = $6) AND ($7::text[] IS NULL OR m.kind = ANY ($7))
       AND ($8::timestamptz IS NULL OR m.created_at <= $8)
       AND ($9::boolean OR m.superseded_at IS NULL OR m.superseded_at > $8)
       AND (m.valid_from IS NULL OR m.valid_from <= coalesce($8, $2)) AND (m.valid_to IS NULL OR m.valid_to > coalesce($8, $2))
       AND ($10::jsonb IS NULL OR m.metadata @> $10)`;
/** Versions are numbers of ours and no parameter: nearly always there is one, and then no condition. */
export const visible = (lexVersion?: number): string =>
  lexVersion === undefined ? VISIBLE_NOW : `${VISIBLE_NOW} AND m.lex_version = ${Math.trunc(lexVersion)}`;
const nameOf = (name: string, lexVersion: number | undefined): string => (lexVersion === undefined ? name : `${name}_l${Math.trunc(lexVersion)}`);

/**
 * Every memory that holds any probe is weighed completely, from its own row: a unit of the query is worth the better of its variants, a memory
 * the sum over the units. \`OFFSET 0\` keeps the large vector of terms from being fetched anew for every probe.
 */
const WEIGHED = `
        CROSS JOIN LATERAL (SELECT m.lex || ''::tsvector AS lex OFFSET 0) held
        CROSS JOIN LATERAL (
          SELECT coalesce(sum(best.share), 0) AS evidence
            FROM (SELECT max(variant.share) AS share
                    FROM (SELECT p.unit, sum(p.share) AS share FROM probe p WHERE held.lex @@ p.lexeme GROUP BY p.unit, p.variant) variant
                   GROUP BY variant.unit) best
        ) weighed`;

/** `$11` the MAC of the query, `$12` to `$15` the probes, `$16` all of them as one query, `$17` the vector. */
export function candidatesStatement(vector: QueryVector | undefined, lexVersion?: number): { readonly name: string; readonly text: string } {
  const lexical = `
    lexical AS (
      SELECT found.id, row_number() OVER (ORDER BY found.equal DESC, found.evidence DESC, found.created_at DESC, found.id DESC) AS rank
        FROM (SELECT m.id, m.match_mac = $11 AS equal, weighed.evidence, m.created_at
                FROM visible m ${WEIGHED}
               WHERE m.match_mac = $11 OR m.lex @@ nullif($16, '')::tsquery
               ORDER BY equal DESC, weighed.evidence DESC, m.created_at DESC, m.id DESC
               LIMIT ${POOL}) found
    )`;
  const probes = `
    probe AS MATERIALIZED (
      SELECT p.unit, p.variant, p.share, p.lexeme::tsquery AS lexeme
        FROM unnest($12::int[], $13::int[], $14::bigint[], $15::text[]) AS p (unit, variant, share, lexeme)
    )`;
  if (vector === undefined) {
    const text = `
  WITH ${probes}, visible AS (${visible(lexVersion)}), ${lexical}
  SELECT m.id, m.match_mac = $11 AS equal, weighed.evidence, NULL::float8 AS cosine, lexical.rank::int AS lexical_rank, NULL::int AS vector_rank,
         m.created_at, m.importance, m.evergreen
    FROM lexical JOIN memory m ON m.tenant_id = $1 AND m.id = lexical.id ${WEIGHED}`;
    return { name: nameOf('memory_candidates_text', lexVersion), text };
  }
  const table = sqlIdentifier(vector.table);
  const distance = 'v.e <=> $17::halfvec';
  // A sum is no column: the planner then sorts distances instead of asking an index that filters afterwards.
  const order = vector.scan === 'exact' ? `(${distance}) + 0` : distance;
  // Beside an index each vector is checked by itself, as they come out of it: a join with everything visible would sort all of them instead.
  const isVisible = vector.scan === 'exact' ? 'SELECT FROM visible m WHERE m.id = v.memory_id' : `${visible(lexVersion)} AND m.id = v.memory_id OFFSET 0`;
  const text = `
  WITH ${probes}, visible AS (${visible(lexVersion)}), ${lexical},
    near AS (
      SELECT best.id, row_number() OVER (ORDER BY best.distance, best.id DESC) AS rank
        FROM (SELECT chunk.memory_id AS id, min(chunk.distance) AS distance
                FROM (SELECT v.memory_id, ${distance} AS distance
                        FROM ${table} v
                       WHERE v.tenant_id = $1 AND EXISTS (${isVisible})
                       ORDER BY ${order}
                       LIMIT ${CHUNK_POOL}) chunk
               GROUP BY chunk.memory_id
               ORDER BY distance, id DESC
               LIMIT ${POOL}) best
    ),
    candidate AS (SELECT id FROM lexical UNION SELECT id FROM near)
  SELECT m.id, m.match_mac = $11 AS equal, weighed.evidence, own.cosine, lexical.rank::int AS lexical_rank, near.rank::int AS vector_rank,
         m.created_at, m.importance, m.evergreen
    FROM candidate
    JOIN memory m ON m.tenant_id = $1 AND m.id = candidate.id
    LEFT JOIN lexical ON lexical.id = m.id
    LEFT JOIN near ON near.id = m.id ${WEIGHED}
    CROSS JOIN LATERAL (SELECT 1 - min(${distance}) AS cosine FROM ${table} v WHERE v.tenant_id = $1 AND v.memory_id = m.id) own`;
  return { name: nameOf(`memory_candidates_${vector.scan}_${vector.table}`, lexVersion), text };
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
