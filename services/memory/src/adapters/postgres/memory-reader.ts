import { type Database, sqlIdentifier } from '@plexus/database';
import type { Candidate, ListPage, MemoryReader, QueryVector, SearchFilter, SearchHit, StoredMemory, VectorCoverage } from '../../application/ports.js';
import type { Visible } from '../../domain/access.js';
import type { Probe } from '../../domain/evidence.js';
import { HNSW_SETTINGS } from './index-recall.js';
import { lexemeOf, marksOf } from './lexical-marks.js';
import { LIVING, MEMORY_COLUMNS, type MemoryRow, toMemory } from './memory-row.js';
import { type CandidateRow, candidatesStatement, coverageStatement, FRAGMENT_STATEMENT, type Weighing } from './search-statements.js';
import { readInTenant } from './tenant-transaction.js';
import { fromVectorText, toVectorText } from './vector-text.js';

/** What was found in each of the chosen memories. \`OFFSET 0\` keeps a large vector of terms from being fetched anew for every probe. */
const HITS = `
  SELECT ${MEMORY_COLUMNS}, ARRAY(SELECT p.position::int - 1 FROM unnest($4::text[]) WITH ORDINALITY AS p (lexeme, position) WHERE held.lex @@ p.lexeme::tsquery) AS found
    FROM unnest($3::text[]) WITH ORDINALITY AS chosen (id, place)
    JOIN memory m ON m.tenant_id = $1 AND m.id = chosen.id
    CROSS JOIN LATERAL (SELECT m.lex || ''::tsvector AS lex OFFSET 0) held
   WHERE ${LIVING}
   ORDER BY chosen.place`;

const GET = `SELECT ${MEMORY_COLUMNS} FROM memory m WHERE ${LIVING} AND m.id = $3`;
const LIST = `
  SELECT ${MEMORY_COLUMNS} FROM memory m
   WHERE ${LIVING} AND m.scope_kind = $3 AND m.scope_id = $4 AND ($5::text IS NULL OR m.owner = $5)
     AND ($6::timestamptz IS NULL OR (m.created_at, m.id) < ($6, $7::text)) AND ($9::boolean OR m.superseded_at IS NULL)
   ORDER BY m.created_at DESC, m.id DESC
   LIMIT $8`;
const COUNT = `SELECT count(*)::int AS memories FROM memory m WHERE ${LIVING} AND m.superseded_at IS NULL`;

export class PostgresMemoryReader implements MemoryReader {
  constructor(private readonly database: Database) {}

  async candidates(tenant: string, filter: SearchFilter, probes: readonly Probe[], vector?: QueryVector): Promise<Candidate[]> {
    const { weighing, parameters: asked } = weighed(probes);
    const { name, text } = candidatesStatement(vector, weighing, { lexVersion: filter.lexVersion, oneScope: filter.visible.length === 1 });
    const params = [...filterParameters(tenant, filter), filter.matchMac, ...asked, ...(vector === undefined ? [] : [toVectorText(vector.vector)])];
    const rows = await readInTenant<CandidateRow>(this.database, tenant, { name, text, params }, vector?.scan === 'hnsw' ? [HNSW_SETTINGS] : []);
    return rows.map(toCandidate);
  }

  async candidatesByFragment(tenant: string, filter: SearchFilter, fragment: string): Promise<Candidate[]> {
    const parameters = [...filterParameters(tenant, filter), filter.matchMac, fragment];
    const rows = await this.#read<CandidateRow>(tenant, 'memory_candidates_fragment', FRAGMENT_STATEMENT, parameters);
    return rows.map(toCandidate);
  }

  async hits(tenant: string, ids: readonly string[], probes: readonly Probe[], now: Date): Promise<SearchHit[]> {
    if (ids.length === 0) return [];
    const rows = await this.#read<MemoryRow & { found: number[] | null }>(tenant, 'memory_hits', HITS, [tenant, now, ids, probes.map(lexemeOf)]);
    return rows.map((row) => ({ ...toMemory(row), found: row.found ?? [] }));
  }

  async vectorsOf(tenant: string, table: string, ids: readonly string[]): Promise<Map<string, Float32Array>> {
    const rows = await this.#read<{ memory_id: string; e: string }>(
      tenant,
      `memory_vectors_${table}`,
      `SELECT memory_id, e::text AS e FROM ${sqlIdentifier(table)} WHERE tenant_id = $1 AND memory_id = ANY ($2::text[]) AND chunk_no = 0`,
      [tenant, ids],
    );
    return new Map(rows.map(({ memory_id, e }) => [memory_id, fromVectorText(e)]));
  }

  async coverage(tenant: string, filter: SearchFilter, table: string): Promise<VectorCoverage> {
    const { name, text } = coverageStatement(table);
    const [row] = await this.#read<{ visible: number; embedded: number }>(tenant, name, text, filterParameters(tenant, filter));
    return row ?? { visible: 0, embedded: 0 };
  }

  async get(tenant: string, id: string, now: Date): Promise<StoredMemory | undefined> {
    const [row] = await this.#read<MemoryRow>(tenant, 'memory_get', GET, [tenant, now, id]);
    return row && toMemory(row);
  }

  async list(tenant: string, visible: Visible, now: Date, page: ListPage): Promise<StoredMemory[]> {
    const rows = await this.#read<MemoryRow>(tenant, 'memory_list', LIST, [
      tenant,
      now,
      visible.kind,
      visible.id,
      visible.owner ?? null,
      page.after === undefined ? null : new Date(page.after.createdAt),
      page.after?.id ?? null,
      page.limit,
      page.includeHistory ?? false,
    ]);
    return rows.map(toMemory);
  }

  async count(tenant: string, now: Date): Promise<number> {
    const [row] = await this.#read<{ memories: number }>(tenant, 'memory_count', COUNT, [tenant, now]);
    return row?.memories ?? 0;
  }

  #read<R>(tenant: string, name: string, text: string, params: readonly unknown[]): Promise<R[]> {
    return readInTenant<R>(this.database, tenant, { name, text, params });
  }
}

/** `$12` and what follows of a search for candidates: the whole query, and how a memory is weighed by it. */
function weighed(probes: readonly Probe[]): { readonly weighing: Weighing; readonly parameters: readonly unknown[] } {
  const lexemes = probes.map(lexemeOf);
  const whole = lexemes.length === 0 ? null : lexemes.join(' | ');
  const marks = marksOf(probes);
  if (marks !== undefined) {
    return { weighing: { marks: marks.length }, parameters: [whole, marks.map(({ query }) => query), marks.map(({ share }) => share)] };
  }
  const shares = probes.map(({ share }) => share);
  return { weighing: 'variants', parameters: [whole, lexemes, shares, probes.map(({ unit }) => unit), probes.map(({ variant }) => variant)] };
}

/** `$1` to `$10` of every search. */
export function filterParameters(tenant: string, filter: SearchFilter): unknown[] {
  const { visible, namespace, kinds, now, asOf, includeHistory, metadata } = filter;
  return [
    tenant,
    now,
    visible.map(({ kind }) => kind),
    visible.map(({ id }) => id),
    visible.map(({ owner }) => owner ?? null),
    namespace ?? null,
    kinds ?? null,
    asOf ?? null,
    includeHistory,
    metadata === undefined ? null : JSON.stringify(metadata),
  ];
}

function toCandidate(row: CandidateRow): Candidate {
  return {
    id: row.id,
    equal: row.equal,
    evidence: Number(row.evidence),
    ...(row.cosine === null ? {} : { cosine: row.cosine }),
    ...(row.lexical_rank === null ? {} : { lexicalRank: row.lexical_rank }),
    ...(row.vector_rank === null ? {} : { vectorRank: row.vector_rank }),
    createdAt: row.created_at,
    ...(row.importance === null ? {} : { importance: row.importance }),
    evergreen: row.evergreen,
  };
}
