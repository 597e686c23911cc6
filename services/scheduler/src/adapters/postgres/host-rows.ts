import type { Database, Queryable, Tx } from '@plexus/database';
import type { z } from 'zod';
import type { vmContracts } from '@plexus/contracts';
import type { HostView } from '../../application/ports.js';
import { LIVE } from './vm-rows.js';

/** Not heard of for so long, a host counts as lost. */
export const HOST_LOST_MS = 60_000;
const CORDON_AFTER = 5;
const CORDON_MS = 5 * 60_000;

/** State of a host as it is now: a cordon runs out by itself, and so does the belief in a host that is silent. */
const STATE = `CASE WHEN h.beat_at < clock_timestamp() - interval '${HOST_LOST_MS} milliseconds' THEN 'lost'
  WHEN h.state = 'draining' THEN 'draining' WHEN h.cordoned_until > clock_timestamp() THEN 'cordoned' ELSE 'up' END`;

/** True for a host that can act; `column` holds its id. */
export const HOST_ACTS = (column: string): string =>
  `EXISTS (SELECT 1 FROM hosts h WHERE h.id = ${column} AND h.beat_at > clock_timestamp() - interval '${HOST_LOST_MS} milliseconds')`;

/** What a replica says about a host that it can act on. */
export interface HostBeat {
  readonly hostId: string;
  readonly provider: string;
  readonly capacity: number | undefined;
  readonly cores: number;
  readonly used: number;
  readonly isolation: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly portable: boolean;
  readonly holder: string;
}

interface HostRow {
  readonly id: string;
  readonly provider: string;
  readonly state: HostView['state'];
  readonly capacity: number | null;
  readonly cores: number;
  readonly used: number;
  readonly isolation: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly portable: boolean;
  readonly reserved: number;
  readonly starting: number;
  readonly beat_at: Date;
}

const HOSTS = `SELECT h.id, h.provider, ${STATE} AS state, h.capacity, h.cores, h.used, h.isolation, h.labels, h.portable, h.beat_at,
  (SELECT count(*) FROM vms WHERE host_id = h.id AND provider = h.provider AND ${LIVE}) AS reserved,
  (SELECT count(*) FROM vms WHERE host_id = h.id AND provider = h.provider AND state = 'provisioning') AS starting FROM hosts h`;

export type HostSummary = z.output<typeof vmContracts.VmHost>;

/** Hosts in Postgres: who beats, who is to be drained, who fails. */
export class PostgresHosts {
  constructor(private readonly database: Database) {}

  async beat(beat: HostBeat): Promise<void> {
    await this.database.query(
      'host_beat',
      `INSERT INTO hosts (id, provider, capacity, cores, used, isolation, labels, portable, holder_token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (id, provider) DO UPDATE SET capacity = $3, cores = $4, used = $5, isolation = $6, labels = $7, portable = $8, holder_token = $9, beat_at = clock_timestamp()`,
      [beat.hostId, beat.provider, beat.capacity ?? null, beat.cores, beat.used, beat.isolation, JSON.stringify(beat.labels), beat.portable, beat.holder],
    );
  }

  async list(): Promise<HostSummary[]> {
    const rows = await this.database.query<HostRow>('host_list', `${HOSTS} ORDER BY h.provider, h.id`);
    return rows.map(summaryOf);
  }

  /** Drains a host, or puts it back into use. Returns it, with the VMs whose reconciliation that concerns; undefined: there is no such host. */
  async drain(hostId: string, cancel: boolean): Promise<{ readonly host: HostSummary; readonly vmIds: readonly string[] } | undefined> {
    return this.database.transaction(async (tx) => {
      const changed = await tx.query('host_drain', 'UPDATE hosts SET state = $2, cordoned_until = NULL, failures = 0 WHERE id = $1 RETURNING id', [
        hostId,
        cancel ? 'up' : 'draining',
      ]);
      if (changed.length === 0) return undefined;
      const vms = cancel
        ? await tx.query<{ id: string }>(
            'host_undrain_vms',
            `UPDATE vms SET drain_reason = CASE WHEN drain_reason = 'host' THEN NULL ELSE drain_reason END, next_action_at = clock_timestamp(), row_version = row_version + 1
              WHERE host_id = $1 AND ${LIVE} AND (drain_reason = 'host' OR state = 'backoff') RETURNING id`,
            [hostId],
          )
        : await tx.query<{ id: string }>(
            'host_drain_vms',
            `UPDATE vms SET drain_reason = coalesce(drain_reason, 'host'), desired_state = CASE WHEN pool_id IS NULL THEN desired_state ELSE 'terminated' END,
                    next_action_at = clock_timestamp(), row_version = row_version + 1
              WHERE host_id = $1 AND state IN ('provisioning', 'booting', 'ready', 'suspect', 'warm') RETURNING id`,
            [hostId],
          );
      const [row] = await tx.query<HostRow>('host_one', `${HOSTS} WHERE h.id = $1 LIMIT 1`, [hostId]);
      return row === undefined ? undefined : { host: summaryOf(row), vmIds: vms.map(({ id }) => id) };
    });
  }
}

/** Hosts of one provider, for placement. `isolationOf` ranks what they offer. */
export async function findHosts(db: Queryable, provider: string, isolationOf: (level: string) => number): Promise<HostView[]> {
  const rows = await db.query<HostRow>('host_views', `${HOSTS} WHERE h.provider = $1`, [provider]);
  return rows.map(({ beat_at: _beatAt, ...row }) => ({ ...row, capacity: row.capacity ?? undefined, isolation: isolationOf(row.isolation) }));
}

/** Counts a start that failed on a host; too many in a row take it out of use for a while. */
export async function noteHostFailure(tx: Tx, hostId: string): Promise<void> {
  await tx.query(
    'host_failure',
    `UPDATE hosts SET failures = failures + 1,
            cordoned_until = CASE WHEN failures + 1 >= ${CORDON_AFTER} THEN clock_timestamp() + interval '${CORDON_MS} milliseconds' ELSE cordoned_until END WHERE id = $1`,
    [hostId],
  );
}

export async function noteHostSuccess(tx: Tx, hostId: string): Promise<void> {
  await tx.query('host_success', 'UPDATE hosts SET failures = 0, cordoned_until = NULL WHERE id = $1 AND failures > 0', [hostId]);
}

function summaryOf(row: HostRow): HostSummary {
  return {
    hostId: row.id,
    provider: row.provider,
    state: row.state,
    vms: row.reserved,
    ...(row.capacity === null ? {} : { capacity: row.capacity }),
    beatAt: row.beat_at.toISOString(),
  };
}
