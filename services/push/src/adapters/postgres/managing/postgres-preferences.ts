import type { Queryable, Tx } from '@plexus/database';
import type { Decided } from '../../../application/managing/log-change.js';
import type { PreferenceStore } from '../../../application/managing/manage-preferences.js';
import type { QuietHours } from '../../../domain/engine/types.js';
import type { Wishes } from '../../../domain/managing/preferences.js';
import type { ManagedChanges } from './managed-changes.js';

const READ = `
  SELECT p.user_id AS "user", p.version, p.preferences, p.updated_at AS "updatedAt",
         q.tz, q.start_time AS "start", q.end_time AS "end", q.days, q.bypass_priority AS "bypassPriority"
    FROM preference p LEFT JOIN quiet_hours q ON q.t = p.t AND q.user_id = p.user_id
   WHERE p.t = $1 AND p.user_id = ANY($2::text[])`;

const WRITE = `
  INSERT INTO preference (t, user_id, version, preferences, updated_at) VALUES ($1, $2, $3, $4::jsonb, $5)
  ON CONFLICT (t, user_id) DO UPDATE SET version = excluded.version, preferences = excluded.preferences, updated_at = excluded.updated_at`;

const WRITE_HOURS = `
  INSERT INTO quiet_hours (t, user_id, tz, start_time, end_time, days, bypass_priority) VALUES ($1, $2, $3, $4, $5, $6::int[], $7)
  ON CONFLICT (t, user_id) DO UPDATE
     SET tz = excluded.tz, start_time = excluded.start_time, end_time = excluded.end_time, days = excluded.days, bypass_priority = excluded.bypass_priority`;

interface Row {
  readonly user: string;
  readonly version: number;
  readonly preferences: Wishes['preferences'];
  readonly updatedAt: Date;
  readonly tz: string | null;
  readonly start: string;
  readonly end: string;
  readonly days: number[];
  readonly bypassPriority: QuietHours['bypassPriority'];
}

/** Preferences and quiet hours: two tables, one version. */
export class PostgresPreferences implements PreferenceStore {
  constructor(private readonly changes: ManagedChanges) {}

  read(tenant: string, users: readonly string[]): Promise<Wishes[]> {
    return read(this.changes.database, tenant, users);
  }

  change<T>(tenant: string, user: string, decide: (current: Wishes) => Decided<T> & { readonly next?: Wishes }): Promise<T> {
    return this.changes.run(tenant, [user], async (tx) => {
      const [current] = await read(tx, tenant, [user]);
      const { next, ...decided } = decide(current as Wishes);
      if (next !== undefined) await write(tx, tenant, user, next);
      return decided;
    });
  }
}

async function read(from: Queryable, tenant: string, users: readonly string[]): Promise<Wishes[]> {
  const rows = await from.query<Row>('push_read_preferences', READ, [tenant, users]);
  return users.map((user) => {
    const row = rows.find((one) => one.user === user);
    return row === undefined ? { preferences: [], version: 0 } : toWishes(row);
  });
}

async function write(tx: Tx, tenant: string, user: string, { preferences, quietHours, version, updatedAt }: Wishes): Promise<void> {
  await tx.query('push_write_preferences', WRITE, [tenant, user, version, JSON.stringify(preferences), updatedAt]);
  if (quietHours === undefined) await tx.query('push_drop_quiet_hours', 'DELETE FROM quiet_hours WHERE t = $1 AND user_id = $2', [tenant, user]);
  else {
    const { tz, start, end, days, bypassPriority } = quietHours;
    await tx.query('push_write_quiet_hours', WRITE_HOURS, [tenant, user, tz, start, end, days, bypassPriority]);
  }
}

function toWishes({ version, preferences, updatedAt, tz, start, end, days, bypassPriority }: Row): Wishes {
  return { preferences, version, updatedAt: updatedAt.toISOString(), ...(tz === null ? {} : { quietHours: { tz, start, end, days, bypassPriority } }) };
}
