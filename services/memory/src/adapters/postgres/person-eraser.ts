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
/** Lines of an import that is under way. */
const FORGET_STAGED = `DELETE FROM memory_import WHERE ${THEIRS}`;
/** The cache does not say whose texts it knows; it is only a saving, so all of the tenant's goes. */
const FORGET_CACHE = 'DELETE FROM embed_cache WHERE tenant_id = $1 RETURNING 1 AS gone';

/** Marks stay empty for a while, so that a late redelivery of their messages brings nothing back. They are taken first, as by whoever flushes. */
const FORGET_MARKS = `
  UPDATE session_mark SET owner = '', session_key = '', agent_id = NULL, summary = NULL, erased_at = $3, updated_at = $3
   WHERE tenant_id = $1 AND owner = $2 RETURNING session_id`;
const FORGET_FLUSHES = 'DELETE FROM session_flush WHERE tenant_id = $1 AND session_id = ANY ($2::text[])';
const FORGET_MESSAGES = 'DELETE FROM session_msg WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone';
const FORGET_STATE = 'DELETE FROM state_kv WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone';

export interface ErasedCounts {
  readonly memories: number;
  readonly keys: number;
  readonly cachedVectors: number;
  readonly sessionMessages: number;
  readonly stateValues: number;
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
      // Sessions first: a flush that is under way finds its session gone, and takes back what it wrote.
      const sessions = await tx.query<{ session_id: string }>('memory_erase_marks', FORGET_MARKS, [tenant, user, at]);
      await tx.query('memory_erase_flushes', FORGET_FLUSHES, [tenant, sessions.map(({ session_id }) => session_id)]);
      const messages = await tx.query('memory_erase_messages', FORGET_MESSAGES, [tenant, user]);
      const state = await tx.query('memory_erase_state', FORGET_STATE, [tenant, user]);
      await tx.query('memory_erase_bury', BURY, [tenant, user, at]);
      const keys = await tx.query('memory_erase_keys', FORGET_KEYS, [tenant, user]);
      const memories = await tx.query('memory_erase', FORGET, [tenant, user]);
      await tx.query('memory_erase_staged', FORGET_STAGED, [tenant, user]);
      const cached = await tx.query('memory_erase_cache', FORGET_CACHE, [tenant]);
      const erased = {
        memories: memories.length,
        keys: keys.length,
        cachedVectors: cached.length,
        sessionMessages: messages.length,
        stateValues: state.length,
      };
      await appendOutbox(tx, [this.encodeReceipt(tenant, erasureId, user, erased)]);
      return erased;
    });
    this.afterCommit();
    return counts;
  }
}
