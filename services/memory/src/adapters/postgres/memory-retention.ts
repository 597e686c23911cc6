import type { Database } from '@plexus/database';
import type { MemoryRetention } from '../../application/ports.js';
import { inTenant } from './tenant-transaction.js';

const TENANTS = 'SELECT tenant_id FROM tenant ORDER BY tenant_id';

const SWEEP_MEMORIES = `
  WITH old AS (
    (SELECT id FROM memory WHERE tenant_id = $1 AND expires_at < $2 LIMIT $3)
     UNION
    (SELECT id FROM memory WHERE tenant_id = $1 AND deleted_at < $2 LIMIT $3)
  ), gone AS (DELETE FROM memory m USING old WHERE m.tenant_id = $1 AND m.id = old.id RETURNING 1)
  SELECT count(*)::int AS swept FROM gone`;

/** The key of a deleted memory stays as long as its tombstone: a late redelivery of the write must not bring it back. */
const SWEEP_KEYS = `
  WITH old AS (
    SELECT i.idem_key FROM memory_idem i
     WHERE i.tenant_id = $1 AND i.created_at < $2
       AND NOT EXISTS (SELECT FROM tombstone t WHERE t.tenant_id = $1 AND t.memory_id = i.memory_id)
     LIMIT $3
  ), gone AS (DELETE FROM memory_idem i USING old WHERE i.tenant_id = $1 AND i.idem_key = old.idem_key RETURNING 1)
  SELECT count(*)::int AS swept FROM gone`;

const SWEEP_TOMBSTONES = `
  WITH old AS (SELECT memory_id FROM tombstone WHERE tenant_id = $1 AND deleted_at < $2 LIMIT $3),
       gone AS (DELETE FROM tombstone t USING old WHERE t.tenant_id = $1 AND t.memory_id = old.memory_id RETURNING 1)
  SELECT count(*)::int AS swept FROM gone`;

/** Two replicas that sweep at once delete the same rows; the second finds them gone. */
export class PostgresMemoryRetention implements MemoryRetention {
  constructor(private readonly database: Database) {}

  async tenants(): Promise<string[]> {
    const rows = await this.database.query<{ tenant_id: string }>('memory_tenants', TENANTS);
    return rows.map(({ tenant_id }) => tenant_id);
  }

  async sweepMemories(tenant: string, before: Date, limit: number): Promise<number> {
    return this.#sweep(tenant, 'memory_sweep', SWEEP_MEMORIES, before, limit);
  }

  async sweepTraces(tenant: string, before: { readonly keys: Date; readonly tombstones: Date }, limit: number): Promise<number> {
    const keys = await this.#sweep(tenant, 'memory_sweep_keys', SWEEP_KEYS, before.keys, limit);
    const tombstones = await this.#sweep(tenant, 'memory_sweep_tombstones', SWEEP_TOMBSTONES, before.tombstones, limit);
    return Math.max(keys, tombstones);
  }

  async #sweep(tenant: string, name: string, statement: string, before: Date, limit: number): Promise<number> {
    const [row] = await inTenant(this.database, tenant, (tx) => tx.query<{ swept: number }>(name, statement, [tenant, before, limit]));
    return row?.swept ?? 0;
  }
}
