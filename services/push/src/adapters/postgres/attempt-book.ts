import type { Database } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import type { AttemptBook, CommandKey } from '../../application/delivery-ports.js';
import type { AttemptRecord } from '../../domain/delivery/next-step.js';

const OF_COMMAND = 't = $1 AND delivery_id = $2 AND channel = $3 AND level = $4';
/** Leases are judged by the clock of the database: replicas may disagree about the time. */
const HISTORY = `
  SELECT contact, n, status, error, command_seq AS "commandSeq", ceil(extract(epoch FROM lease_until - now()) * 1000)::int AS "leaseMs"
    FROM delivery_attempt WHERE ${OF_COMMAND} ORDER BY n`;
/** Locks the item: an erasure that removes it comes before this, and nothing is written, or after it, and removes the attempt as well. */
const CLAIM = `
  WITH item AS (
    SELECT 1 FROM inbox_item WHERE t = $1 AND delivery_id = $2 AND user_id = $7 FOR KEY SHARE
  ), lapsed AS (
    UPDATE delivery_attempt SET status = 'failed', error = 'interrupted'
     WHERE ${OF_COMMAND} AND contact = $5 AND n = $10 AND status = 'sending' AND lease_until <= now()
  )
  INSERT INTO delivery_attempt (t, delivery_id, channel, level, contact, n, user_id, status, command_seq, lease_until)
  SELECT $1, $2, $3, $4, $5, $6, $7, 'sending', $8, now() + $9::int * interval '1 millisecond' FROM item
  ON CONFLICT DO NOTHING RETURNING 1 AS claimed`;
const END = `UPDATE delivery_attempt SET status = $7, error = $8 WHERE ${OF_COMMAND} AND contact = $5 AND n = $6`;
const SKIP = `
  WITH item AS (
    SELECT 1 FROM inbox_item WHERE t = $1 AND delivery_id = $2 AND user_id = $5 FOR KEY SHARE
  ), known AS (
    SELECT coalesce(max(n), 0) + 1 AS n, count(*) FILTER (WHERE status = 'skipped') AS skipped FROM delivery_attempt WHERE ${OF_COMMAND} AND contact = ''
  )
  INSERT INTO delivery_attempt (t, delivery_id, channel, level, contact, n, user_id, status, error, command_seq, lease_until)
  SELECT $1, $2, $3, $4, '', known.n, $5, 'skipped', $6, $7, now() FROM item, known WHERE known.skipped = 0
  ON CONFLICT DO NOTHING`;
const OF_DELIVERY = `
  SELECT channel, level, n AS attempt, status, error, contact, at FROM delivery_attempt
   WHERE t = $1 AND user_id = $2 AND delivery_id = $3 ORDER BY at, channel, level, contact, n LIMIT 1000`;
const PRUNE = `
  WITH old AS (SELECT ctid FROM delivery_attempt WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED),
       gone AS (DELETE FROM delivery_attempt WHERE ctid IN (SELECT ctid FROM old) RETURNING 1)
  SELECT count(*)::int AS pruned FROM gone`;

/** An attempt as its user may see it. */
export interface ListedAttempt {
  readonly channel: string;
  readonly level: number;
  readonly attempt: number;
  readonly status: AttemptRecord['status'];
  readonly error: string | null;
  readonly contact: string;
  readonly at: Date;
}

export class PostgresAttemptBook implements AttemptBook {
  constructor(private readonly database: Database) {}

  async history(key: CommandKey): Promise<AttemptRecord[]> {
    const rows = await this.database.query<Omit<AttemptRecord, 'commandSeq' | 'error'> & { commandSeq: string; error: string | null }>(
      'push_attempt_history',
      HISTORY,
      commandOf(key),
    );
    return rows.map((row) => ({ ...row, commandSeq: Number(row.commandSeq), error: row.error ?? undefined }));
  }

  async claim(
    key: CommandKey,
    { contact, n, commandSeq, leaseMs, lapsed }: { contact: string; n: number; commandSeq: number; leaseMs: number; lapsed?: number | undefined },
  ): Promise<boolean> {
    const rows = await this.database.query('push_claim_attempt', CLAIM, [...commandOf(key), contact, n, key.user, commandSeq, leaseMs, lapsed ?? 0]);
    return rows.length > 0;
  }

  async end(key: CommandKey, { contact, n }: { contact: string; n: number }, status: 'sent' | 'failed' | 'parked', error?: string): Promise<void> {
    const text = error === undefined ? null : toStorableText(error).slice(0, 300);
    await this.database.query('push_end_attempt', END, [...commandOf(key), contact, n, status, text]);
  }

  async skip(key: CommandKey, commandSeq: number, reason: string): Promise<void> {
    await this.database.query('push_skip_attempt', SKIP, [...commandOf(key), key.user, reason, commandSeq]);
  }

  /** Oldest first. */
  async ofDelivery(tenant: string, user: string, deliveryId: string): Promise<ListedAttempt[]> {
    return this.database.query<ListedAttempt>('push_attempts_of_delivery', OF_DELIVERY, [tenant, user, deliveryId]);
  }

  /** Forgets at most `limit` attempts older than `before`; returns how many. */
  async prune(before: Date, limit: number): Promise<number> {
    const [row] = await this.database.query<{ pruned: number }>('push_prune_attempts', PRUNE, [before, limit]);
    return row?.pruned ?? 0;
  }
}

function commandOf({ tenant, deliveryId, channel, level }: CommandKey): (string | number)[] {
  return [tenant, deliveryId, channel, level];
}
