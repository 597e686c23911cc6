import type { Queryable, Tx } from '@plexus/database';
import type { OwnerKey } from '../../application/ports.js';
import type { DesiredState, StopTarget, VmState } from '../../domain/vm-state.js';
import { LIVE } from './vm-rows.js';

/** A VM that failed is not tried again at once: whatever broke it would break the next one. */
export const COOLDOWN_MS = 30_000;

export interface OwnerRow {
  readonly id: string;
  readonly state: VmState;
  readonly desired_state: DesiredState;
  readonly stop_target: StopTarget | null;
  readonly generation: number;
  readonly observed_generation: number;
  readonly current_epoch: number;
  readonly reason_code: string | null;
  readonly reason_text: string | null;
  readonly drain_reason: string | null;
}

/** What a join looks at beside that. */
export interface LiveRow extends OwnerRow {
  /** It runs with an older version of its template. */
  readonly is_stale: boolean;
  /** Used within the last minutes, or right now. */
  readonly in_use: boolean;
  /** Milliseconds since somebody used it. */
  readonly quiet_ms: number;
  readonly idle_ms: number | null;
}

const COLUMNS = 'id, state, desired_state, stop_target, generation, observed_generation, current_epoch, reason_code, reason_text, drain_reason';
const OWNED = 'pool_id IS NULL';
/** A VM that was used this lately is not replaced because its template changed. */
const HOT_MS = 300_000;
const LIVE_COLUMNS = `${COLUMNS}, coalesce(template_hash <> (SELECT c.spec_hash FROM vm_templates c JOIN vm_templates t ON t.name = c.name WHERE t.id = vms.template_id AND c.is_current), false) AS is_stale,
  (last_activity_at > clock_timestamp() - interval '${HOT_MS} milliseconds' OR EXISTS (SELECT 1 FROM vm_runs r WHERE r.vm_id = vms.id AND r.state = 'open')) AS in_use,
  (extract(epoch FROM clock_timestamp() - last_activity_at) * 1000)::float8 AS quiet_ms, idle_ms`;
const OF_OWNER = 'tenant_id = $1 AND subject_id = $2 AND scope_key = $3';

const keyOf = (key: OwnerKey): string[] => [key.tenant, key.subject, key.scope];

/** The one live row of an owner key. */
export async function findLive(db: Queryable, key: OwnerKey): Promise<LiveRow | undefined> {
  const rows = await db.query<LiveRow>('owner_live', `SELECT ${LIVE_COLUMNS} FROM vms WHERE ${OF_OWNER} AND ${LIVE} AND ${OWNED}`, keyOf(key));
  return rows[0];
}

/** The same, locked until the transaction ends: everything that queues work for a VM goes through here, one after the other. */
export async function lockLive(tx: Tx, key: OwnerKey): Promise<OwnerRow | undefined> {
  const rows = await tx.query<OwnerRow>('owner_live_lock', `SELECT ${COLUMNS} FROM vms WHERE ${OF_OWNER} AND ${LIVE} AND ${OWNED} FOR UPDATE`, keyOf(key));
  return rows[0];
}

/** The newest row of this owner that failed within the cool-down, with the milliseconds that are left of it. */
export async function findCooling(db: Queryable, key: OwnerKey): Promise<(OwnerRow & { readonly remaining_ms: number }) | undefined> {
  const rows = await db.query<OwnerRow & { readonly remaining_ms: number }>(
    'owner_cooling',
    `SELECT ${COLUMNS}, ($4 - extract(epoch FROM clock_timestamp() - state_since) * 1000)::float8 AS remaining_ms FROM vms
      WHERE ${OF_OWNER} AND state = 'failed' AND state_since > clock_timestamp() - $4::float8 * interval '1 millisecond' ORDER BY state_since DESC LIMIT 1`,
    [...keyOf(key), COOLDOWN_MS],
  );
  return rows[0];
}

/** True while nobody has asked for this VM since it was stopped, or began to be: only then a new wish must be written down. */
export function needsWish(row: OwnerRow): boolean {
  const stopped =
    row.state === 'paused' || row.state === 'pausing' || row.state === 'draining' || (row.state === 'stopping' && (row.stop_target ?? 'paused') === 'paused');
  return row.desired_state === 'paused' || (stopped && row.generation <= row.observed_generation);
}

/** Writes a new wish, once however many ask at the same time. False: somebody else just did. */
export async function writeWish(db: Queryable, row: OwnerRow, allowEmptyWorkspace = false): Promise<boolean> {
  const rows = await db.query(
    'owner_wish',
    `UPDATE vms SET generation = generation + 1, desired_state = 'running', next_action_at = clock_timestamp(), last_activity_at = clock_timestamp(),
            allow_empty_workspace = allow_empty_workspace OR $3, row_version = row_version + 1
      WHERE id = $1 AND generation = $2 AND desired_state <> 'terminated' AND ${LIVE} RETURNING id`,
    [row.id, row.generation, allowEmptyWorkspace],
  );
  return rows.length === 1;
}

/** Moves a VM to the current version of its template: one that is up is drained first, and made anew because somebody wants it. */
export async function refreshTemplate(db: Queryable, row: OwnerRow): Promise<boolean> {
  const rows = await db.query(
    'owner_template',
    `UPDATE vms v SET template_id = c.id, template_hash = c.spec_hash, generation = generation + 1, next_action_at = clock_timestamp(),
            drain_reason = CASE WHEN v.state = 'ready' THEN 'template' ELSE v.drain_reason END, row_version = row_version + 1
       FROM vm_templates t JOIN vm_templates c ON c.name = t.name AND c.is_current
      WHERE v.id = $1 AND v.generation = $2 AND t.id = v.template_id AND v.state IN ('ready', 'paused', 'requested', 'backoff') RETURNING v.id`,
    [row.id, row.generation],
  );
  return rows.length === 1;
}
