import { type Database, sqlIdentifier, type Tx } from '@plexus/database';
import type { Extent, MemoryPurger, PurgeCounts, PurgedBatch } from '../../application/archive-ports.js';
import type { Scope, Visible } from '../../domain/access.js';
import { extentClause } from './extent-clause.js';
import { inTenant } from './tenant-transaction.js';

interface Gone {
  readonly id: string;
  readonly scope_kind: Scope['kind'];
  readonly scope_id: string;
  readonly owner: string;
}

/** Only MACs stay, so that a late redelivery of a write brings nothing back. */
const BURY = `
  INSERT INTO tombstone (tenant_id, memory_id, content_mac, deleted_at)
  SELECT tenant_id, id, content_mac, $3 FROM memory WHERE tenant_id = $1 AND id = ANY ($2::text[])
  ON CONFLICT DO NOTHING`;
const FORGET_KEYS = 'DELETE FROM memory_idem WHERE tenant_id = $1 AND memory_id = ANY ($2::text[]) RETURNING 1 AS gone';
const FORGET = 'DELETE FROM memory WHERE tenant_id = $1 AND id = ANY ($2::text[]) RETURNING 1 AS gone';
const FORGET_CACHE = 'DELETE FROM embed_cache WHERE tenant_id = $1 RETURNING 1 AS gone';
/** What sessions kept: of a person by its owner, of a session's scope by the key of the session. State of runs belongs to persons. */
const SESSIONS: Readonly<Record<'user' | 'scope', readonly (readonly [count: string, statement: string])[]>> = {
  user: [
    ['sessionMessages', 'DELETE FROM session_msg WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone'],
    ['sessions', 'DELETE FROM session_mark WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone'],
    ['stateValues', 'DELETE FROM state_kv WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone'],
  ],
  scope: [
    [
      'sessionMessages',
      `DELETE FROM session_msg m USING session_mark s
        WHERE s.tenant_id = $1 AND $2::text = 'session' AND s.session_key = $3 AND ($4::text IS NULL OR s.owner = $4)
          AND m.tenant_id = $1 AND m.session_id = s.session_id RETURNING 1 AS gone`,
    ],
    [
      'sessions',
      `DELETE FROM session_mark WHERE tenant_id = $1 AND $2::text = 'session' AND session_key = $3 AND ($4::text IS NULL OR owner = $4) RETURNING 1 AS gone`,
    ],
  ],
};
const VECTOR_TABLES = 'SELECT table_name FROM embedding_model WHERE to_regclass(table_name) IS NOT NULL ORDER BY table_name';

/** Removes rows for good, in transactions of a few hundred. */
export class PostgresMemoryPurger implements MemoryPurger {
  constructor(private readonly database: Database) {}

  async memories(tenant: string, extent: Extent, at: Date, limit: number): Promise<PurgedBatch> {
    const clause = extentClause(extent);
    const choose = `SELECT m.id, m.scope_kind, m.scope_id, m.owner FROM memory m WHERE ${clause.text} ORDER BY m.id LIMIT $${clause.next} FOR UPDATE`;
    return inTenant(this.database, tenant, async (tx): Promise<PurgedBatch> => {
      const gone = await tx.query<Gone>(`memory_purge_choose_${clause.name}`, choose, [tenant, ...clause.parameters, limit]);
      if (gone.length === 0) return { counts: {}, removed: 0, scopes: [] };
      const ids = gone.map(({ id }) => id);
      const vectors = await forgetVectors(tx, tenant, ids);
      await tx.query('memory_purge_bury', BURY, [tenant, ids, at]);
      const keys = await tx.query('memory_purge_keys', FORGET_KEYS, [tenant, ids]);
      const memories = await tx.query('memory_purge', FORGET, [tenant, ids]);
      return { counts: { memories: memories.length, vectors, idempotencyResults: keys.length }, removed: gone.length, scopes: scopesOf(gone) };
    });
  }

  async rest(tenant: string, extent: Extent): Promise<PurgeCounts> {
    const clause = extentClause(extent);
    return inTenant(this.database, tenant, async (tx) => {
      const staged = `DELETE FROM memory_import m WHERE ${clause.text} RETURNING 1 AS gone`;
      const stagedLines = await tx.query(`memory_purge_staged_${clause.name}`, staged, [tenant, ...clause.parameters]);
      // The cache does not say whose texts it knows; it is only a saving, so all of the tenant's goes.
      const cached = await tx.query('memory_purge_cache', FORGET_CACHE, [tenant]);
      const counts: Record<string, number> = { cachedVectors: cached.length, stagedLines: stagedLines.length };
      for (const [name, statement] of SESSIONS[clause.name]) {
        counts[name] = (await tx.query(`memory_purge_${clause.name}_${name}`, statement, [tenant, ...clause.parameters])).length;
      }
      return counts;
    });
  }
}

/** They would go with their memory; here they are counted. Tables of retired models are among them. */
async function forgetVectors(tx: Tx, tenant: string, ids: readonly string[]): Promise<number> {
  let vectors = 0;
  for (const { table_name } of await tx.query<{ table_name: string }>('memory_purge_tables', VECTOR_TABLES)) {
    const text = `DELETE FROM ${sqlIdentifier(table_name)} WHERE tenant_id = $1 AND memory_id = ANY ($2::text[]) RETURNING 1 AS gone`;
    vectors += (await tx.query(`memory_purge_${table_name}`, text, [tenant, ids])).length;
  }
  return vectors;
}

function scopesOf(gone: readonly Gone[]): Visible[] {
  const scopes = new Map<string, Visible>();
  for (const { scope_kind: kind, scope_id: id } of gone) scopes.set(`${kind}:${id}`, { kind, id });
  return [...scopes.values()];
}
