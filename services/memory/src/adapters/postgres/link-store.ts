import { type Database, sqlIdentifier, type Tx } from '@plexus/database';
import type { Likeness, Link, LinkedBy, LinkStore, Uncompared } from '../../application/lexicon-ports.js';
import { inTenant } from './tenant-transaction.js';

/** So many near-duplicates of one memory are enough to know. */
const MOST = 20;
const LIVES = 'm.tenant_id = $1 AND m.deleted_at IS NULL AND m.superseded_at IS NULL';
/** Others of the same place, called `o`, of a memory `m`. */
const BESIDE = `o.tenant_id = m.tenant_id AND o.scope_kind = m.scope_kind AND o.scope_id = m.scope_id AND o.owner = m.owner AND o.namespace = m.namespace
           AND o.id <> m.id AND o.deleted_at IS NULL AND o.superseded_at IS NULL`;

/**
 * Of two sets that share nine tenths of their union each lacks at most a tenth of the other: so any tenth of the terms and one more holds a
 * common one. The longest terms are the rarest; only who has one of them (`$3`) is counted through. `$4` are all terms, `$5` the least share.
 */
const LIKE_BY_TERMS = `
  SELECT o.id, o.content, counted.shared::float8 / (cardinality($4::text[]) + length(o.lex) - counted.shared) AS similarity
    FROM memory m
    JOIN memory o ON ${BESIDE} AND o.lex_version = m.lex_version
    CROSS JOIN LATERAL (
      SELECT count(*) AS shared FROM unnest(tsvector_to_array(o.lex)) AS held (term) WHERE held.term = ANY ($4::text[])
    ) counted
   WHERE ${LIVES} AND m.id = $2
     AND length(o.lex) BETWEEN cardinality($4::text[]) * $5::float8 AND cardinality($4::text[]) / $5::float8 AND o.lex @@ $3::tsquery
     AND counted.shared >= $5::float8 * (cardinality($4::text[]) + length(o.lex) - counted.shared)
   ORDER BY similarity DESC, o.id LIMIT ${MOST}`;

const LINK = `
  INSERT INTO memory_link (tenant_id, memory_id, other_id, found_by, similarity, linked_at)
  SELECT $1, least(m.id, o.id), greatest(m.id, o.id), $4, $5, $6
    FROM memory m JOIN memory o ON o.tenant_id = $1 AND o.id = $3
   WHERE m.tenant_id = $1 AND m.id = $2
  ON CONFLICT (tenant_id, memory_id, other_id) DO UPDATE SET found_by = EXCLUDED.found_by, similarity = EXCLUDED.similarity`;
const COMPARED = `
  INSERT INTO memory_compared (tenant_id, memory_id, compared_with) SELECT $1, m.id, $3 FROM memory m WHERE m.tenant_id = $1 AND m.id = $2
  ON CONFLICT (tenant_id, memory_id) DO UPDATE SET compared_with = EXCLUDED.compared_with`;
const AMONG = 'SELECT memory_id, other_id FROM memory_link WHERE tenant_id = $1 AND memory_id = ANY ($2::text[]) AND other_id = ANY ($2::text[])';
const OF = `
  SELECT o.id, l.similarity::float8 AS similarity, l.found_by AS by
    FROM memory_link l
    JOIN memory o ON o.tenant_id = $1 AND o.id = CASE WHEN l.memory_id = $2 THEN l.other_id ELSE l.memory_id END
   WHERE l.tenant_id = $1 AND (l.memory_id = $2 OR l.other_id = $2)
     AND o.deleted_at IS NULL AND o.superseded_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > $3)
   ORDER BY l.similarity DESC, o.id LIMIT ${MOST}`;

export class PostgresLinkStore implements LinkStore {
  constructor(private readonly database: Database) {}

  async uncompared(tenant: string, model: { readonly id: string; readonly table: string } | undefined, after: string, limit: number): Promise<Uncompared[]> {
    const single =
      model === undefined
        ? 'false'
        : `(SELECT count(*) = 1 FROM ${sqlIdentifier(model.table)} v WHERE v.tenant_id = $1 AND v.memory_id = m.id AND v.rev = m.rev)`;
    const text = `
      SELECT m.id, m.content, tsvector_to_array(m.lex) AS terms, ${single} AS "hasVector"
        FROM memory m LEFT JOIN memory_compared c ON c.tenant_id = m.tenant_id AND c.memory_id = m.id
       WHERE ${LIVES} AND m.id > $2 AND (c.memory_id IS NULL${model === undefined ? '' : ` OR (c.compared_with <> $4 AND ${single})`})
       ORDER BY m.id LIMIT $3`;
    const parameters = [tenant, after, limit, ...(model === undefined ? [] : [model.id])];
    return this.#read(tenant, (tx) => tx.query<Uncompared>(`memory_uncompared_${model?.table ?? 'terms'}`, text, parameters));
  }

  async likeByTerms(tenant: string, one: Uncompared, leastJaccard: number): Promise<Likeness[]> {
    if (one.terms.length === 0) return [];
    const lacking = Math.floor(one.terms.length * (1 - leastJaccard)) + 1;
    const rarest = [...one.terms].sort((a, b) => b.length - a.length).slice(0, lacking);
    const parameters = [tenant, one.id, rarest.map(quoted).join(' | '), one.terms, leastJaccard];
    const rows = await this.#read(tenant, (tx) => tx.query<Omit<Likeness, 'by'>>('memory_like_by_terms', LIKE_BY_TERMS, parameters));
    return rows.map((row) => ({ ...row, by: 'terms' as const }));
  }

  async likeByVectors(tenant: string, one: Uncompared, tableName: string, leastCosine: number): Promise<Likeness[]> {
    const table = sqlIdentifier(tableName);
    const text = `
      SELECT near.id, near.content, 1 - near.distance AS similarity
        FROM (SELECT o.id, o.content, v.e <=> mine.e AS distance
                FROM memory m
                JOIN ${table} mine ON mine.tenant_id = $1 AND mine.memory_id = m.id
                JOIN memory o ON ${BESIDE}
                JOIN ${table} v ON v.tenant_id = $1 AND v.memory_id = o.id AND v.chunk_no = 0
               WHERE ${LIVES} AND m.id = $2
                 AND NOT EXISTS (SELECT FROM ${table} more WHERE more.tenant_id = $1 AND more.memory_id = o.id AND more.chunk_no > 0)) near
       WHERE near.distance <= 1 - $3::float8
       ORDER BY near.distance, near.id LIMIT ${MOST}`;
    const rows = await this.#read(tenant, (tx) => tx.query<Omit<Likeness, 'by'>>(`memory_like_${tableName}`, text, [tenant, one.id, leastCosine]));
    return rows.map((row) => ({ ...row, by: 'vectors' as const }));
  }

  async link(tenant: string, id: string, links: readonly Link[], comparedWith: string, at: Date): Promise<void> {
    await inTenant(this.database, tenant, async (tx) => {
      for (const { id: other, by, similarity } of links) await tx.query('memory_link', LINK, [tenant, id, other, by, Math.min(1, similarity), at]);
      await tx.query('memory_compared', COMPARED, [tenant, id, comparedWith]);
    });
  }

  async among(tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    if (ids.length < 2) return new Map();
    const rows = await this.#read(tenant, (tx) => tx.query<{ memory_id: string; other_id: string }>('memory_links_among', AMONG, [tenant, ids]));
    const links = new Map<string, Set<string>>();
    for (const { memory_id: a, other_id: b } of rows) {
      links.set(a, (links.get(a) ?? new Set()).add(b));
      links.set(b, (links.get(b) ?? new Set()).add(a));
    }
    return links;
  }

  of(tenant: string, id: string, now: Date): Promise<Link[]> {
    return this.#read(tenant, (tx) => tx.query<{ id: string; similarity: number; by: LinkedBy }>('memory_links_of', OF, [tenant, id, now]));
  }

  #read<R>(tenant: string, fn: (tx: Tx) => Promise<R[]>): Promise<R[]> {
    return inTenant(this.database, tenant, fn, { readOnly: true });
  }
}

/** One lexeme, out of reach of every parser. */
function quoted(term: string): string {
  return `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
