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
}

const COLUMNS = 'id, state, desired_state, stop_target, generation, observed_generation, current_epoch, reason_code, reason_text';
const OF_OWNER = 'tenant_id = $1 AND subject_id = $2 AND scope_key = $3';

const keyOf = (key: OwnerKey): string[] => [key.tenant, key.subject, key.scope];

/** The one live row of an owner key. */
export async function findLive(db: Queryable, key: OwnerKey): Promise<OwnerRow | undefined> {
  const rows = await db.query<OwnerRow>('owner_live', `SELECT ${COLUMNS} FROM vms WHERE ${OF_OWNER} AND ${LIVE}`, keyOf(key));
  return rows[0];
}

/** The same, locked until the transaction ends: everything that queues work for a VM goes through here, one after the other. */
export async function lockLive(tx: Tx, key: OwnerKey): Promise<OwnerRow | undefined> {
  const rows = await tx.query<OwnerRow>('owner_live_lock', `SELECT ${COLUMNS} FROM vms WHERE ${OF_OWNER} AND ${LIVE} FOR UPDATE`, keyOf(key));
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

/** Makes the row unless somebody else was faster; the partial unique index decides. */
export async function insertVm(db: Queryable, key: OwnerKey, id: string): Promise<OwnerRow | undefined> {
  const rows = await db.query<OwnerRow>(
    'owner_insert',
    `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at) VALUES ($4, $1, $2, $3, 'requested', clock_timestamp())
     ON CONFLICT (tenant_id, subject_id, scope_key) WHERE ${LIVE} DO NOTHING RETURNING ${COLUMNS}`,
    [...keyOf(key), id],
  );
  return rows[0];
}

/** True while nobody has asked for this VM since it was stopped, or began to be: only then a new wish must be written down. */
export function needsWish(row: OwnerRow): boolean {
  const stopped = row.state === 'paused' || (row.state === 'stopping' && (row.stop_target ?? 'paused') === 'paused');
  return row.desired_state === 'paused' || (stopped && row.generation <= row.observed_generation);
}

/** Writes a new wish, once however many ask at the same time. False: somebody else just did. */
export async function writeWish(db: Queryable, row: OwnerRow): Promise<boolean> {
  const rows = await db.query(
    'owner_wish',
    `UPDATE vms SET generation = generation + 1, desired_state = 'running', next_action_at = clock_timestamp(), last_activity_at = clock_timestamp(),
            row_version = row_version + 1
      WHERE id = $1 AND generation = $2 AND desired_state <> 'terminated' AND ${LIVE} RETURNING id`,
    [row.id, row.generation],
  );
  return rows.length === 1;
}
