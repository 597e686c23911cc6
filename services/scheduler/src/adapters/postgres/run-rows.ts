import type { Queryable, Tx } from '@plexus/database';
import type { RunAddress, RunCommand, RunRow, Steer } from '../../application/ports.js';
import { RUN_ADDRESS, type RunAddressRow, toRunAddress } from './vm-rows.js';

export type RunState = 'cancelled' | 'open' | 'ending' | 'ended';

/** An open run with what is known of its session and of the incarnation that had it. */
const RUN_COLUMNS = `${RUN_ADDRESS}, r.state, r.scope_key, r.command, r.traceparent, r.vm_id, r.handed_epoch, r.lost, r.cancel_reason, r.steers, r.run_seq,
  (SELECT i.attached_at IS NOT NULL FROM vm_instances i WHERE i.epoch = r.handed_epoch) AS previous_attached,
  coalesce(s.epoch, 0) AS session_epoch, coalesce(s.marked_epoch, 0) AS marked_epoch, coalesce(s.marker_seq, 0) AS marker_seq`;
const RUN_SOURCE = 'vm_runs r LEFT JOIN vm_sessions s ON s.tenant_id = r.tenant_id AND s.session_id = r.session_id';
const IS_RUN = 'r.tenant_id = $1 AND r.session_id = $2 AND r.run_id = $3';

interface RunDatabaseRow extends RunAddressRow {
  readonly state: RunState;
  readonly scope_key: string;
  readonly command: RunCommand | null;
  readonly traceparent: string | null;
  readonly vm_id: string | null;
  readonly handed_epoch: number | null;
  readonly lost: number;
  readonly cancel_reason: string | null;
  readonly steers: readonly Steer[];
  readonly run_seq: number;
  readonly previous_attached: boolean | null;
  readonly session_epoch: number;
  readonly marked_epoch: number;
  readonly marker_seq: number;
}

export const runKey = (run: Pick<RunAddress, 'tenant' | 'sessionId' | 'runId'>): string[] => [run.tenant, run.sessionId, run.runId];

/** The run as it is now. */
export async function findRun(db: Queryable, run: RunAddress): Promise<(RunRow & { readonly state: RunState }) | undefined> {
  const [row] = await db.query<RunDatabaseRow>('run_find', `SELECT ${RUN_COLUMNS} FROM ${RUN_SOURCE} WHERE ${IS_RUN}`, runKey(run));
  return row && { ...toRunRow(row), state: row.state };
}

/** The same, locked. Lock the VM row first where both are needed. */
export async function lockRun(tx: Tx, run: RunAddress): Promise<(RunRow & { readonly state: RunState }) | undefined> {
  const [row] = await tx.query<RunDatabaseRow>('run_lock', `SELECT ${RUN_COLUMNS} FROM ${RUN_SOURCE} WHERE ${IS_RUN} FOR UPDATE OF r`, runKey(run));
  return row && { ...toRunRow(row), state: row.state };
}

/** Open runs bound to a VM that its incarnation `epoch` has not been handed, oldest first. */
export async function findPendingHandOvers(db: Queryable, vmId: string, epoch: number): Promise<RunRow[]> {
  const rows = await db.query<RunDatabaseRow>(
    'runs_to_hand_over',
    `SELECT ${RUN_COLUMNS} FROM ${RUN_SOURCE} WHERE r.vm_id = $1 AND r.state = 'open' AND r.handed_epoch IS DISTINCT FROM $2 ORDER BY r.created_at LIMIT 200`,
    [vmId, epoch],
  );
  return rows.map(toRunRow);
}

/** Unbound open runs that may try again, locked against other replicas. */
export async function lockUnbound(tx: Tx): Promise<RunRow | undefined> {
  const [row] = await tx.query<RunDatabaseRow>(
    'run_unbound',
    `SELECT ${RUN_COLUMNS} FROM ${RUN_SOURCE} WHERE r.state = 'open' AND r.vm_id IS NULL AND r.bind_at <= clock_timestamp()
      ORDER BY r.bind_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED`,
  );
  return row && toRunRow(row);
}

function toRunRow(row: RunDatabaseRow): RunRow {
  return {
    ...toRunAddress(row),
    scopeKey: row.scope_key,
    // Only a run that is over, or was cancelled before it started, has no command; nobody makes frames from those.
    command: row.command ?? { message: '', history: [], timeoutMs: 600_000 },
    traceparent: row.traceparent ?? undefined,
    vmId: row.vm_id ?? undefined,
    handedEpoch: row.handed_epoch ?? undefined,
    lost: row.lost,
    cancelReason: row.cancel_reason ?? undefined,
    steers: row.steers,
    runSeq: row.run_seq,
    previousAttached: row.previous_attached ?? false,
    sessionEpoch: row.session_epoch,
    markedEpoch: row.marked_epoch,
    markerSeq: row.marker_seq,
  };
}
