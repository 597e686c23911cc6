import type { Database, Tx } from '@plexus/database';
import type { MemoryReader, SearchFilter, SearchHit, StoredMemory } from '../../application/ports.js';
import type { Visible } from '../../domain/access.js';
import type { Probe } from '../../domain/evidence.js';
import type { ListPosition } from '../../domain/list-cursor.js';
import { LIVING, MEMORY_COLUMNS, type MemoryRow, toMemory } from './memory-row.js';
import { inTenant } from './tenant-transaction.js';

/** Memories in the scopes `$3` (kinds), `$4` (ids), `$5` (owners, null = whoever), of namespace `$6` and kinds `$7` where given. */
const VISIBLE = `
    FROM unnest($3::text[], $4::text[], $5::text[]) AS scope (kind, id, owner)
    JOIN memory m ON m.tenant_id = $1 AND m.scope_kind = scope.kind AND m.scope_id = scope.id AND (scope.owner IS NULL OR m.owner = scope.owner)`;
const FILTER = `${LIVING} AND ($6::text IS NULL OR m.namespace = $6) AND ($7::text[] IS NULL OR m.kind = ANY ($7))`;

/**
 * Every memory that holds any probe (or equals the query) is weighed completely, from its own row: a unit of the query is worth the
 * better of its variants, a memory the sum over the units. So the order is exact and does not depend on how many are asked for.
 * \`OFFSET 0\` keeps the large vector from being fetched anew for every probe.
 */
const SEARCH_TERMS = `
  WITH probe AS MATERIALIZED (
    SELECT p.unit, p.variant, p.share, p.lexeme::tsquery AS lexeme, p.position
      FROM unnest($8::int[], $9::int[], $10::bigint[], $11::text[]) WITH ORDINALITY AS p (unit, variant, share, lexeme, position)
  )
  SELECT hit.*, ARRAY(SELECT p.position::int - 1 FROM probe p WHERE hit.lex @@ p.lexeme) AS found
    FROM (
      SELECT ${MEMORY_COLUMNS}, m.match_mac = $12 AS equal, held.lex, weighed.evidence
        ${VISIBLE}
        CROSS JOIN LATERAL (SELECT m.lex || ''::tsvector AS lex OFFSET 0) held
        CROSS JOIN LATERAL (
          SELECT coalesce(sum(best.share), 0) AS evidence
            FROM (SELECT max(variant.share) AS share
                    FROM (SELECT p.unit, sum(p.share) AS share FROM probe p WHERE held.lex @@ p.lexeme GROUP BY p.unit, p.variant) variant
                   GROUP BY variant.unit) best
        ) weighed
       WHERE ${FILTER} AND (m.match_mac = $12 OR m.lex @@ $13::tsquery)
       ORDER BY equal DESC, evidence DESC, m.created_at DESC, m.id DESC
       LIMIT $14
    ) hit
   ORDER BY equal DESC, evidence DESC, created_at DESC, id DESC`;

const SEARCH_FRAGMENT = `
  SELECT ${MEMORY_COLUMNS}, m.match_mac = $8 AS equal
    ${VISIBLE}
   WHERE ${FILTER} AND (m.match_mac = $8 OR strpos(m.content, $9) > 0)
   ORDER BY equal DESC, m.created_at DESC, m.id DESC
   LIMIT $10`;

const GET = `SELECT ${MEMORY_COLUMNS} FROM memory m WHERE ${LIVING} AND m.id = $3`;
const LIST = `
  SELECT ${MEMORY_COLUMNS} FROM memory m
   WHERE ${LIVING} AND m.scope_kind = $3 AND m.scope_id = $4 AND ($5::text IS NULL OR m.owner = $5)
     AND ($6::timestamptz IS NULL OR (m.created_at, m.id) < ($6, $7::text))
   ORDER BY m.created_at DESC, m.id DESC
   LIMIT $8`;
const COUNT = `SELECT count(*)::int AS memories FROM memory m WHERE ${LIVING}`;

type HitRow = MemoryRow & { readonly equal: boolean; readonly found?: number[] };

export class PostgresMemoryReader implements MemoryReader {
  constructor(private readonly database: Database) {}

  async searchByTerms(tenant: string, filter: SearchFilter, probes: readonly Probe[]): Promise<SearchHit[]> {
    const lexemes = probes.map(lexemeOf);
    const rows = await this.#read(tenant, (tx) =>
      tx.query<HitRow>('memory_search_terms', SEARCH_TERMS, [
        ...filterParameters(tenant, filter),
        probes.map(({ unit }) => unit),
        probes.map(({ variant }) => variant),
        probes.map(({ share }) => share),
        lexemes,
        filter.matchMac,
        lexemes.join(' | '),
        filter.limit,
      ]),
    );
    return rows.map((row) => ({ ...toMemory(row), equal: row.equal, found: row.found ?? [] }));
  }

  async searchByFragment(tenant: string, filter: SearchFilter, fragment: string): Promise<SearchHit[]> {
    const rows = await this.#read(tenant, (tx) =>
      tx.query<HitRow>('memory_search_fragment', SEARCH_FRAGMENT, [...filterParameters(tenant, filter), filter.matchMac, fragment, filter.limit]),
    );
    return rows.map((row) => ({ ...toMemory(row), equal: row.equal, found: [] }));
  }

  async get(tenant: string, id: string, now: Date): Promise<StoredMemory | undefined> {
    const [row] = await this.#read(tenant, (tx) => tx.query<MemoryRow>('memory_get', GET, [tenant, now, id]));
    return row && toMemory(row);
  }

  async list(tenant: string, visible: Visible, now: Date, page: { readonly after?: ListPosition; readonly limit: number }): Promise<StoredMemory[]> {
    const rows = await this.#read(tenant, (tx) =>
      tx.query<MemoryRow>('memory_list', LIST, [
        tenant,
        now,
        visible.kind,
        visible.id,
        visible.owner ?? null,
        page.after === undefined ? null : new Date(page.after.createdAt),
        page.after?.id ?? null,
        page.limit,
      ]),
    );
    return rows.map(toMemory);
  }

  async count(tenant: string, now: Date): Promise<number> {
    const [row] = await this.#read(tenant, (tx) => tx.query<{ memories: number }>('memory_count', COUNT, [tenant, now]));
    return row?.memories ?? 0;
  }

  #read<R>(tenant: string, fn: (tx: Tx) => Promise<R[]>): Promise<R[]> {
    return inTenant(this.database, tenant, fn, { readOnly: true });
  }
}

function filterParameters(tenant: string, { visible, namespace, kinds, now }: SearchFilter): unknown[] {
  const owners = visible.map(({ owner }) => owner ?? null);
  return [tenant, now, visible.map(({ kind }) => kind), visible.map(({ id }) => id), owners, namespace ?? null, kinds ?? null];
}

/** One quoted lexeme, so that no parser or dictionary of Postgres has a say in it. */
function lexemeOf({ term, prefix }: Probe): string {
  return `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'${prefix ? ':*' : ''}`;
}
