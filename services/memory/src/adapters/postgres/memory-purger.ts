import { type Database, sqlIdentifier, type Tx } from '@plexus/database';
import type { Extent, MemoryPurger, PurgeCounts, PurgedBatch } from '../../application/archive-ports.js';
import type { Scope } from '../../domain/access.js';
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
/** Whoever appends to a session or flushes it holds its mark: taken away first, so that nobody leaves messages behind. Flushes go with it. */
const FORGET_MARKS: Readonly<Record<'user' | 'scope', string>> = {
  user: 'DELETE FROM session_mark WHERE tenant_id = $1 AND owner = $2 RETURNING session_id',
  scope: `DELETE FROM session_mark WHERE tenant_id = $1 AND $2::text = 'session' AND session_key = $3 AND ($4::text IS NULL OR owner = $4) RETURNING session_id`,
};
const FORGET_MESSAGES =
  'DELETE FROM session_msg WHERE tenant_id = $1 AND (session_id = ANY ($2::text[]) OR ($3::text IS NOT NULL AND owner = $3)) RETURNING 1 AS gone';
/** State of runs belongs to persons. */
const FORGET_STATE = 'DELETE FROM state_kv WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone';
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

  async sources(tenant: string, extent: Extent): Promise<PurgeCounts> {
    const { name, text, parameters } = extentClause(extent);
    return inTenant(this.database, tenant, async (tx) => {
      const sessions = await tx.query<{ session_id: string }>(`memory_purge_${name}_sessions`, FORGET_MARKS[name], [tenant, ...parameters]);
      const owner = 'user' in extent ? extent.user : null;
      const messages = await tx.query('memory_purge_messages', FORGET_MESSAGES, [tenant, sessions.map(({ session_id }) => session_id), owner]);
      const counts = { sessions: sessions.length, sessionMessages: messages.length };
      const staged = await tx.query(`memory_purge_staged_${name}`, `DELETE FROM memory_import m WHERE ${text} RETURNING 1 AS gone`, [tenant, ...parameters]);
      if (name === 'scope') return { ...counts, stagedLines: staged.length };
      const state = await tx.query('memory_purge_state', FORGET_STATE, [tenant, ...parameters]);
      return { ...counts, stagedLines: staged.length, stateValues: state.length };
    });
  }

  async caches(tenant: string): Promise<PurgeCounts> {
    // The cache does not say whose texts it knows; it is only a saving, so all of the tenant's goes.
    const cached = await inTenant(this.database, tenant, (tx) => tx.query('memory_purge_cache', FORGET_CACHE, [tenant]));
    return { cachedVectors: cached.length };
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

function scopesOf(gone: readonly Gone[]): Scope[] {
  const scopes = new Map<string, Scope>();
  for (const { scope_kind: kind, scope_id: id } of gone) scopes.set(`${kind}:${id}`, { kind, id });
  return [...scopes.values()];
}
