import type { Database } from '@plexus/database';

/**
 * An inbox loses its oldest items only, so that what is left has no gaps; `min_offset` says where it begins now, and whoever has read less
 * is told so instead of being called up to date. Users about whom something is being decided at the moment wait for the next round.
 */
const PRUNE_INBOX = `
  WITH aged AS (
    SELECT t, user_id, max(inbox_offset) AS up_to
      FROM (SELECT t, user_id, inbox_offset FROM inbox_item WHERE created_at < $1 ORDER BY created_at LIMIT $2) AS oldest GROUP BY t, user_id
  ), locked AS (
    SELECT h.t, h.user_id, a.up_to FROM inbox_head h JOIN aged a ON a.t = h.t AND a.user_id = h.user_id FOR UPDATE OF h SKIP LOCKED
  ), moved AS (
    UPDATE inbox_head h SET min_offset = greatest(h.min_offset, l.up_to) FROM locked l WHERE h.t = l.t AND h.user_id = l.user_id
  ), gone AS (
    DELETE FROM inbox_item i USING locked l WHERE i.t = l.t AND i.user_id = l.user_id AND i.inbox_offset <= l.up_to RETURNING 1
  )
  SELECT count(*)::int AS pruned FROM gone`;
const PRUNE_DECISIONS = `
  WITH old AS (SELECT id FROM decision WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM decision d USING old WHERE d.id = old.id RETURNING 1)
  SELECT count(*)::int AS pruned FROM gone`;
const PRUNE_SILENCES = `
  WITH old AS (SELECT ctid FROM silence WHERE ends_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM silence s USING old WHERE s.ctid = old.ctid RETURNING 1)
  SELECT count(*)::int AS pruned FROM gone`;

/** Forgets old items, decisions and silences in batches. */
export class PostgresInboxRetention {
  constructor(private readonly database: Database) {}

  async pruneItems(before: Date, limit: number): Promise<number> {
    return this.#prune('push_prune_inbox', PRUNE_INBOX, before, limit);
  }

  async pruneDecisions(before: Date, limit: number): Promise<number> {
    return this.#prune('push_prune_decisions', PRUNE_DECISIONS, before, limit);
  }

  /** Silences that ended before: decisions that name them are gone by then. */
  async pruneSilences(before: Date, limit: number): Promise<number> {
    return this.#prune('push_prune_silences', PRUNE_SILENCES, before, limit);
  }

  async #prune(name: string, text: string, before: Date, limit: number): Promise<number> {
    const [row] = await this.database.transaction((tx) => tx.query<{ pruned: number }>(name, text, [before, limit]));
    return row?.pruned ?? 0;
  }
}
