import { appendOutbox, type Database, type OutboxMessage } from '@plexus/database';
import { inTenant } from './tenant-transaction.js';

/** What belongs to a person: their own scope, their sessions' memories, and what they wrote into scopes that others read. */
const THEIRS = `tenant_id = $1 AND ((scope_kind = 'user' AND scope_id = $2) OR owner = $2 OR source ->> 'user' = $2)`;
const FORGET_KEYS = `DELETE FROM memory_idem WHERE tenant_id = $1 AND memory_id IN (SELECT id FROM memory WHERE ${THEIRS}) RETURNING 1 AS gone`;
/** Only MACs stay, so that a late redelivery of a deleted write brings nothing back. Vectors and refusals go with their memory. */
const BURY = `
  INSERT INTO tombstone (tenant_id, memory_id, content_mac, deleted_at) SELECT tenant_id, id, content_mac, $3 FROM memory WHERE ${THEIRS}
  ON CONFLICT DO NOTHING`;
const FORGET = `DELETE FROM memory WHERE ${THEIRS} RETURNING 1 AS gone`;
/** The cache does not say whose texts it knows; it is only a saving, so all of the tenant's goes. */
const FORGET_CACHE = 'DELETE FROM embed_cache WHERE tenant_id = $1 RETURNING 1 AS gone';

export interface ErasedCounts {
  readonly memories: number;
  readonly keys: number;
  readonly cachedVectors: number;
}

/** Removes a person for good, and puts the receipt into the outbox of the same transaction. */
export class PersonEraser {
  constructor(
    private readonly database: Database,
    private readonly encodeReceipt: (tenant: string, erasureId: string, user: string, counts: ErasedCounts) => OutboxMessage,
    private readonly afterCommit: () => void,
  ) {}

  async erase(tenant: string, user: string, erasureId: string, at: Date): Promise<ErasedCounts> {
    const counts = await inTenant(this.database, tenant, async (tx) => {
      await tx.query('memory_erase_bury', BURY, [tenant, user, at]);
      const keys = await tx.query('memory_erase_keys', FORGET_KEYS, [tenant, user]);
      const memories = await tx.query('memory_erase', FORGET, [tenant, user]);
      const cached = await tx.query('memory_erase_cache', FORGET_CACHE, [tenant]);
      const erased = { memories: memories.length, keys: keys.length, cachedVectors: cached.length };
      await appendOutbox(tx, [this.encodeReceipt(tenant, erasureId, user, erased)]);
      return erased;
    });
    this.afterCommit();
    return counts;
  }
}
