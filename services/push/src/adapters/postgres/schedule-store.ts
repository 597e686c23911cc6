import type { Database, Tx } from '@plexus/database';
import type { ScheduleRun, ScheduleStore, StoredSchedule } from '../../application/triggers/trigger-ports.js';
import { type FiringRow, SCHEDULE_COLUMNS, SCHEDULE_WRITTEN, type ScheduleRow, toFiring, toSchedule } from './trigger-rows.js';

/** The same id of another owner, or of the configuration, stays as it is: then no row comes back. */
const SAVE = `
  INSERT INTO schedule AS s (${SCHEDULE_WRITTEN}, config_revision)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::json, $10, $11, $12, $13, $14, $15, 0)
  ON CONFLICT (t, id) DO UPDATE
    SET name = excluded.name, cron = excluded.cron, every_ms = excluded.every_ms, at = excluded.at, tz = excluded.tz, action = excluded.action,
        catch_up = excluded.catch_up, catch_up_max = excluded.catch_up_max, enabled = excluded.enabled, version = s.version + 1,
        next_at = CASE WHEN s.enabled AND excluded.enabled AND s.cron IS NOT DISTINCT FROM excluded.cron AND s.every_ms IS NOT DISTINCT FROM excluded.every_ms
                            AND s.at IS NOT DISTINCT FROM excluded.at AND s.tz = excluded.tz THEN s.next_at ELSE excluded.next_at END
    WHERE s.user_id = excluded.user_id AND s.origin = 'user'
  RETURNING ${SCHEDULE_COLUMNS}, (xmax = 0) AS created`;

/** An older revision changes nothing; a job whose timing stayed the same keeps its next due time. */
const RECONCILE = `
  INSERT INTO schedule AS s (${SCHEDULE_WRITTEN}, config_revision)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::json, $10, $11, $12, $13, $14, $15, $16)
  ON CONFLICT (t, id) DO UPDATE
    SET user_id = excluded.user_id, name = excluded.name, cron = excluded.cron, every_ms = excluded.every_ms, tz = excluded.tz, action = excluded.action,
        config_revision = excluded.config_revision,
        next_at = CASE WHEN s.cron IS NOT DISTINCT FROM excluded.cron AND s.every_ms IS NOT DISTINCT FROM excluded.every_ms AND s.tz = excluded.tz
                            AND s.next_at IS NOT NULL THEN s.next_at ELSE excluded.next_at END
    WHERE s.origin = 'config' AND s.config_revision <= excluded.config_revision
  RETURNING 1 AS changed`;

/** Schedules as people and the configuration manage them. */
export class PostgresScheduleStore implements ScheduleStore {
  constructor(private readonly database: Database) {}

  async save(schedule: StoredSchedule, most: number): Promise<{ readonly schedule: StoredSchedule; readonly created: boolean } | 'taken' | 'too_many'> {
    return this.database.transaction(async (tx) => {
      // Two that create at once count one after the other.
      await tx.query('push_lock_schedules', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS locked', [
        `schedules:${schedule.tenant}:${schedule.owner}`,
      ]);
      const [row] = await tx.query<ScheduleRow & { created: boolean }>('push_save_schedule', SAVE, valuesOf(schedule));
      if (row === undefined) return 'taken';
      if (row.created && (await countOf(tx, schedule)) > most) {
        await tx.query('push_unsave_schedule', 'DELETE FROM schedule WHERE t = $1 AND id = $2', [schedule.tenant, schedule.id]);
        return 'too_many';
      }
      return { schedule: toSchedule(row), created: row.created };
    });
  }

  async change(tenant: string, id: string, edit: (found: StoredSchedule) => StoredSchedule): Promise<StoredSchedule | undefined> {
    return this.database.transaction(async (tx) => {
      const sql = `SELECT ${SCHEDULE_COLUMNS} FROM schedule WHERE t = $1 AND id = $2 FOR UPDATE`;
      const [found] = await tx.query<ScheduleRow>('push_edit_schedule', sql, [tenant, id]);
      if (found === undefined) return undefined;
      const before = toSchedule(found);
      const edited = edit(before);
      if (edited === before) return before;
      const [row] = await tx.query<ScheduleRow>('push_save_schedule', SAVE, valuesOf(edited));
      return row && toSchedule(row);
    });
  }

  async find(tenant: string, id: string): Promise<StoredSchedule | undefined> {
    const [row] = await this.database.query<ScheduleRow>('push_find_schedule', `SELECT ${SCHEDULE_COLUMNS} FROM schedule WHERE t = $1 AND id = $2`, [
      tenant,
      id,
    ]);
    return row && toSchedule(row);
  }

  async list(tenant: string, { owner, after = '', limit }: Parameters<ScheduleStore['list']>[1]): Promise<StoredSchedule[]> {
    const sql = `SELECT ${SCHEDULE_COLUMNS} FROM schedule WHERE t = $1 AND ($2::text IS NULL OR user_id = $2) AND id > $3 ORDER BY id LIMIT $4`;
    return (await this.database.query<ScheduleRow>('push_list_schedules', sql, [tenant, owner ?? null, after, limit])).map(toSchedule);
  }

  async remove(tenant: string, id: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const gone = await tx.query('push_remove_schedule', 'DELETE FROM schedule WHERE t = $1 AND id = $2 RETURNING 1 AS gone', [tenant, id]);
      await tx.query('push_remove_firings', 'DELETE FROM schedule_run WHERE t = $1 AND schedule_id = $2', [tenant, id]);
      return gone.length > 0;
    });
  }

  async runs(tenant: string, id: string, limit: number): Promise<ScheduleRun[]> {
    const sql = 'SELECT due_at, fired_at, trigger, state, reason, run_id FROM schedule_run WHERE t = $1 AND schedule_id = $2 ORDER BY due_at DESC LIMIT $3';
    return (await this.database.query<FiringRow>('push_schedule_runs', sql, [tenant, id, limit])).map(toFiring);
  }

  async reconcile(tenant: string, revision: number, wanted: readonly StoredSchedule[]): Promise<{ readonly changed: number; readonly removed: number }> {
    return this.database.transaction(async (tx) => {
      // Replicas hear of a change at the same time.
      await tx.query('push_lock_config', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS locked', [`config-schedules:${tenant}`]);
      let changed = 0;
      for (const schedule of wanted) changed += (await tx.query('push_reconcile', RECONCILE, [...valuesOf(schedule), revision])).length;
      const sql = `DELETE FROM schedule WHERE t = $1 AND origin = 'config' AND config_revision <= $2 AND NOT (id = ANY($3::text[])) RETURNING 1 AS gone`;
      const removed = await tx.query('push_unreconcile', sql, [tenant, revision, wanted.map(({ id }) => id)]);
      return { changed, removed: removed.length };
    });
  }
}

async function countOf(tx: Tx, { tenant, owner }: StoredSchedule): Promise<number> {
  const sql = `SELECT count(*)::int AS schedules FROM schedule WHERE t = $1 AND user_id = $2 AND origin = 'user'`;
  const [row] = await tx.query<{ schedules: number }>('push_count_schedules', sql, [tenant, owner]);
  return row?.schedules ?? 0;
}

function valuesOf(schedule: StoredSchedule): unknown[] {
  const { tenant, id, owner, name, cron, everyMs, at, timeZone, action, catchUp, enabled, origin, nextAt, createdAt } = schedule;
  return [
    ...[tenant, id, owner, name, cron ?? null, everyMs ?? null, timestamp(at), timeZone, JSON.stringify(action), catchUp.mode, catchUp.max, enabled, origin],
    ...[timestamp(nextAt), new Date(createdAt)],
  ];
}

function timestamp(at: number | undefined): Date | null {
  return at === undefined ? null : new Date(at);
}
