import type { Database } from '@plexus/database';
import type { OwnedPartition, PartitionLeases } from '../../application/deciding-ports.js';

const ALIVE = `
  INSERT INTO decider (owner, alive_until) VALUES ($1, now() + $2::float8 * interval '1 millisecond')
  ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until`;
const COUNT = `
  WITH gone AS (DELETE FROM decider WHERE alive_until < now() - interval '1 minute')
  SELECT count(*)::int AS alive FROM decider WHERE alive_until > now()`;

/** Rows are locked in one order, as by the commits of batches. The fence decides, not the time: whoever was late and lost nothing goes on. */
const RENEW = `
  WITH locked AS (SELECT c.part FROM partition_cursor c JOIN unnest($2::int[], $3::bigint[]) AS h (part, fence) ON h.part = c.part AND h.fence = c.fence
                   WHERE c.owner = $1 ORDER BY c.part FOR UPDATE OF c)
  UPDATE partition_cursor c SET lease_until = now() + $4::float8 * interval '1 millisecond' FROM locked l WHERE c.part = l.part RETURNING c.part`;
const ACQUIRE = `
  WITH free AS (SELECT part FROM partition_cursor WHERE owner IS NULL OR lease_until IS NULL OR lease_until < now()
                 ORDER BY part LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE partition_cursor c SET owner = $1, fence = c.fence + 1, lease_until = now() + $3::float8 * interval '1 millisecond'
    FROM free WHERE c.part = free.part
  RETURNING c.part, c.fence, c.stream_seq AS cursor`;
const RELEASE = `
  WITH locked AS (SELECT c.part FROM partition_cursor c JOIN unnest($2::int[], $3::bigint[]) AS h (part, fence) ON h.part = c.part AND h.fence = c.fence
                   WHERE c.owner = $1 ORDER BY c.part FOR UPDATE OF c)
  UPDATE partition_cursor c SET owner = NULL, lease_until = NULL FROM locked l WHERE c.part = l.part`;
const RESTART = 'UPDATE partition_cursor SET stream_seq = 0 WHERE part = $1 AND fence = $2 RETURNING part';
const SEND_AGAIN = 'UPDATE timer SET fired_at = NULL WHERE part = $1 AND fired_at IS NOT NULL';

/** Leases of partitions in Postgres, on its clock. */
export class PostgresPartitionLeases implements PartitionLeases {
  constructor(private readonly database: Database) {}

  async renew(owner: string, held: readonly OwnedPartition[], leaseMs: number): Promise<{ kept: ReadonlySet<number>; alive: number }> {
    await this.database.query('push_alive', ALIVE, [owner, leaseMs]);
    const [counted] = await this.database.query<{ alive: number }>('push_count_alive', COUNT);
    const kept = held.length === 0 ? [] : await this.database.query<{ part: number }>('push_renew', RENEW, [owner, ...columnsOf(held), leaseMs]);
    return { kept: new Set(kept.map(({ part }) => part)), alive: Math.max(1, counted?.alive ?? 1) };
  }

  acquire(owner: string, most: number, leaseMs: number): Promise<OwnedPartition[]> {
    return this.database.query<OwnedPartition>('push_acquire', ACQUIRE, [owner, most, leaseMs]);
  }

  async release(owner: string, parts: readonly OwnedPartition[]): Promise<void> {
    if (parts.length > 0) await this.database.query('push_release', RELEASE, [owner, ...columnsOf(parts)]);
  }

  async leave(owner: string): Promise<void> {
    await this.database.query('push_leave', 'DELETE FROM decider WHERE owner = $1', [owner]);
  }

  restart({ part, fence }: OwnedPartition): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const rows = await tx.query('push_restart', RESTART, [part, fence]);
      if (rows.length > 0) await tx.query('push_send_timers_again', SEND_AGAIN, [part]);
      return rows.length > 0;
    });
  }
}

function columnsOf(parts: readonly OwnedPartition[]): [number[], number[]] {
  return [parts.map(({ part }) => part), parts.map(({ fence }) => fence)];
}
