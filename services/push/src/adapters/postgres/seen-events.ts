import type { Database } from '@plexus/database';
import type { SeenEvents } from '../../application/ports.js';

/** Rows that another replica is deleting at the moment are skipped, so several may prune at once. */
const PRUNE = `
  WITH old AS (SELECT t, user_id, event_key FROM seen_event WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM seen_event s USING old WHERE s.t = old.t AND s.user_id = old.user_id AND s.event_key = old.event_key RETURNING 1)
  SELECT count(*)::int AS pruned FROM gone`;

export class PostgresSeenEvents implements SeenEvents {
  constructor(private readonly database: Database) {}

  async prune(before: Date, limit: number): Promise<number> {
    const [row] = await this.database.query<{ pruned: number }>('push_prune_seen', PRUNE, [before, limit]);
    return row?.pruned ?? 0;
  }
}
