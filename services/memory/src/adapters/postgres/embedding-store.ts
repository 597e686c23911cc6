import { type Database, sqlIdentifier } from '@plexus/database';
import type { EmbeddingInput, EmbeddingJob, EmbeddingStore } from '../../application/ports.js';
import { inTenant } from './tenant-transaction.js';
import { fromVectorBytes, fromVectorText, toVectorBytes, toVectorText } from './vector-text.js';

const CACHED = `
  UPDATE embed_cache SET used_at = greatest(used_at, $4) WHERE tenant_id = $1 AND model_id = $2 AND content_mac = ANY ($3::bytea[])
  RETURNING content_mac, vector`;
const CACHE = `
  INSERT INTO embed_cache (tenant_id, model_id, content_mac, vector, used_at)
  SELECT $1, $2, mac, vector, $5 FROM unnest($3::bytea[], $4::bytea[]) AS entry (mac, vector)
  ON CONFLICT (tenant_id, model_id, content_mac) DO UPDATE SET used_at = greatest(embed_cache.used_at, EXCLUDED.used_at)`;
const FAIL = `
  INSERT INTO embed_failed (tenant_id, memory_id, model_id, rev, reason, attempts, failed_at)
  SELECT $1, m.id, $3, $4, $5, $6, $7 FROM memory m WHERE m.tenant_id = $1 AND m.id = $2
  ON CONFLICT (tenant_id, memory_id, model_id) DO UPDATE
     SET rev = EXCLUDED.rev, reason = EXCLUDED.reason, attempts = EXCLUDED.attempts, failed_at = EXCLUDED.failed_at`;
const PRUNE_CACHE = `
  WITH old AS (SELECT model_id, content_mac FROM embed_cache WHERE tenant_id = $1 ORDER BY used_at DESC OFFSET $2),
       gone AS (DELETE FROM embed_cache c USING old WHERE c.tenant_id = $1 AND c.model_id = old.model_id AND c.content_mac = old.content_mac RETURNING 1)
  SELECT count(*)::int AS gone FROM gone`;

/** Living, and of the newest revision: nobody finds what was superseded by meaning unless its history is asked for, and then by words. */
const LIVES = 'm.tenant_id = $1 AND m.deleted_at IS NULL';
const LACKING = (table: string) => `NOT EXISTS (SELECT FROM ${table} v WHERE v.tenant_id = m.tenant_id AND v.memory_id = m.id AND v.rev = m.rev)`;
const NOT_REFUSED = (model: string) =>
  `NOT EXISTS (SELECT FROM embed_failed f WHERE f.tenant_id = m.tenant_id AND f.memory_id = m.id AND f.model_id = ${model} AND f.rev = m.rev)`;

export class PostgresEmbeddingStore implements EmbeddingStore {
  constructor(private readonly database: Database) {}

  async input({ tenant, memoryId, rev }: EmbeddingJob, tableName: string): Promise<EmbeddingInput | undefined> {
    const table = sqlIdentifier(tableName);
    const text = `SELECT m.content, m.content_mac FROM memory m WHERE ${LIVES} AND m.id = $2 AND m.rev = $3 AND ${LACKING(table)}`;
    const [row] = await inTenant(
      this.database,
      tenant,
      (tx) => tx.query<{ content: string; content_mac: Uint8Array }>(`memory_embed_input_${tableName}`, text, [tenant, memoryId, rev]),
      { readOnly: true },
    );
    return row && { tenant, memoryId, rev, content: row.content, contentMac: row.content_mac };
  }

  async store(input: EmbeddingInput, tableName: string, vectors: readonly Float32Array[]): Promise<boolean> {
    const table = sqlIdentifier(tableName);
    return inTenant(this.database, input.tenant, async (tx) => {
      const living = `SELECT 1 AS lives FROM memory m WHERE ${LIVES} AND m.id = $2 AND m.rev = $3 AND m.content_mac = $4 FOR SHARE`;
      const found = await tx.query('memory_embed_lives', living, [input.tenant, input.memoryId, input.rev, input.contentMac]);
      if (found.length === 0) return false;
      const remove = `DELETE FROM ${table} WHERE tenant_id = $1 AND memory_id = $2 AND (rev <> $3 OR chunk_no >= $4)`;
      await tx.query(`memory_embed_clear_${tableName}`, remove, [input.tenant, input.memoryId, input.rev, vectors.length]);
      const insert = `
        INSERT INTO ${table} (tenant_id, memory_id, chunk_no, rev, e)
        SELECT $1, $2, chunk.no::int - 1, $3, chunk.e::halfvec FROM unnest($4::text[]) WITH ORDINALITY AS chunk (e, no)
        ON CONFLICT (tenant_id, memory_id, chunk_no) DO UPDATE SET rev = EXCLUDED.rev, e = EXCLUDED.e`;
      await tx.query(`memory_embed_store_${tableName}`, insert, [input.tenant, input.memoryId, input.rev, vectors.map(toVectorText)]);
      return true;
    });
  }

  async fail(input: EmbeddingInput, modelId: string, reason: string, attempts: number, at: Date): Promise<void> {
    const { tenant, memoryId, rev } = input;
    await inTenant(this.database, tenant, (tx) => tx.query('memory_embed_fail', FAIL, [tenant, memoryId, modelId, rev, reason.slice(0, 500), attempts, at]));
  }

  async cached(tenant: string, modelId: string, macs: readonly Uint8Array[], at: Date): Promise<(Float32Array | undefined)[]> {
    if (macs.length === 0) return [];
    const rows = await inTenant(this.database, tenant, (tx) =>
      tx.query<{ content_mac: Uint8Array; vector: Uint8Array }>('memory_embed_cached', CACHED, [tenant, modelId, macs, at]),
    );
    const byMac = new Map(rows.map(({ content_mac, vector }) => [Buffer.from(content_mac).toString('hex'), vector]));
    return macs.map((mac) => {
      const bytes = byMac.get(Buffer.from(mac).toString('hex'));
      return bytes && fromVectorBytes(bytes);
    });
  }

  async cache(tenant: string, modelId: string, entries: readonly { readonly mac: Uint8Array; readonly vector: Float32Array }[], at: Date): Promise<void> {
    // The same text twice in one statement would be one row updated twice, which Postgres refuses.
    const unique = [...new Map(entries.map((entry) => [Buffer.from(entry.mac).toString('hex'), entry])).values()];
    if (unique.length === 0) return;
    const parameters = [tenant, modelId, unique.map(({ mac }) => mac), unique.map(({ vector }) => toVectorBytes(vector)), at];
    await inTenant(this.database, tenant, (tx) => tx.query('memory_embed_cache', CACHE, parameters));
  }

  async missing(
    tenant: string,
    tableName: string,
    modelId: string,
    before: Date,
    page: { readonly after: string; readonly limit: number },
  ): Promise<EmbeddingJob[]> {
    const text = `
      SELECT m.id, m.rev FROM memory m
       WHERE ${LIVES} AND m.superseded_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > $3) AND m.created_at < $3 AND m.id > $4
         AND ${LACKING(sqlIdentifier(tableName))} AND ${NOT_REFUSED('$2')}
       ORDER BY m.id LIMIT $5`;
    const rows = await inTenant(
      this.database,
      tenant,
      (tx) => tx.query<{ id: string; rev: number }>(`memory_embed_missing_${tableName}`, text, [tenant, modelId, before, page.after, page.limit]),
      { readOnly: true },
    );
    return rows.map(({ id, rev }) => ({ tenant, memoryId: id, rev }));
  }

  async pending(tenant: string, tableName: string, modelId: string): Promise<{ readonly pending: number; readonly failed: number; readonly oldest?: Date }> {
    const text = `
      SELECT count(*) FILTER (WHERE ${NOT_REFUSED('$2')})::int AS pending, count(*) FILTER (WHERE NOT ${NOT_REFUSED('$2')})::int AS failed,
             min(m.created_at) FILTER (WHERE ${NOT_REFUSED('$2')}) AS oldest
        FROM memory m
       WHERE ${LIVES} AND m.superseded_at IS NULL AND ${LACKING(sqlIdentifier(tableName))}`;
    const [row] = await inTenant(
      this.database,
      tenant,
      (tx) => tx.query<{ pending: number; failed: number; oldest: Date | null }>(`memory_embed_pending_${tableName}`, text, [tenant, modelId]),
      { readOnly: true },
    );
    return { pending: row?.pending ?? 0, failed: row?.failed ?? 0, ...(row?.oldest ? { oldest: row.oldest } : {}) };
  }

  async count(tenant: string): Promise<number> {
    const text = `SELECT count(*)::int AS memories FROM memory m WHERE ${LIVES} AND m.superseded_at IS NULL`;
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ memories: number }>('memory_embed_count', text, [tenant]), { readOnly: true });
    return row?.memories ?? 0;
  }

  async sample(tenant: string, tableName: string, limit: number): Promise<Float32Array[]> {
    const text = `SELECT e::text AS e FROM ${sqlIdentifier(tableName)} WHERE tenant_id = $1 AND chunk_no = 0 ORDER BY md5(memory_id) LIMIT $2`;
    const rows = await inTenant(this.database, tenant, (tx) => tx.query<{ e: string }>(`memory_embed_sample_${tableName}`, text, [tenant, limit]), {
      readOnly: true,
    });
    return rows.map(({ e }) => fromVectorText(e));
  }

  async pruneCache(tenant: string, keep: number): Promise<number> {
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ gone: number }>('memory_embed_prune', PRUNE_CACHE, [tenant, keep]));
    return row?.gone ?? 0;
  }
}
