import { appendOutbox, type Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import type { OwnerKey, RunAddress, TemplateRow, VmSnapshot } from '../../application/ports.js';
import type { RunEnding } from '../../domain/run-ending.js';
import type { InstancePhase, Move } from '../../domain/vm.js';
import type { DesiredState, StopTarget, VmState } from '../../domain/vm-state.js';

/** States that hold the owner key. As text, because the partial indexes only serve a query that spells their condition out. */
export const LIVE = `state NOT IN ('failed', 'terminated')`;

/**
 * SET clause that makes a VM due. While somebody holds its claim the version moves too, so that a decision which was made before does not write over it.
 */
export const WAKE = `next_action_at = least(next_action_at, clock_timestamp()), row_version = row_version + (claim_owner IS NOT NULL)::int`;

/**
 * One VM with its present incarnation and the counts that decisions need. A run that is being cancelled keeps no VM alive; a snapshot is only waited
 * for where the runtime has shown that it sends some.
 */
export const SNAPSHOT_SQL = `
  SELECT v.id, v.tenant_id, v.subject_id, v.scope_key, v.state, v.state_since, v.desired_state, v.generation, v.observed_generation,
         v.current_epoch, v.attempt, v.crashes, v.deadline_at, v.stop_target, v.reason_code, v.reason_text, v.last_activity_at,
         v.row_version, v.claim_owner, v.pool_id, v.drain_reason, v.provider, v.host_id, v.excluded_hosts, v.allow_empty_workspace,
         coalesce(v.idle_ms, t.idle_ms) AS idle_ms, v.retention_ms, coalesce(v.max_life_ms, t.max_life_ms) AS max_life_ms,
         t.id AS template_id, t.name AS template_name, t.spec_hash, t.provider AS template_provider, t.isolation_min, t.labels, t.spec, t.max_life_ms AS template_max_life_ms, i.epoch AS instance_epoch, i.phase, i.started_at, i.attached_at, i.lease_until,
         clock_timestamp() AS now,
         (SELECT count(*) FROM vm_runs r WHERE r.vm_id = v.id AND r.state = 'open' AND r.cancel_reason IS NULL) AS open_runs,
         (SELECT count(*) FROM vm_runs r WHERE r.vm_id = v.id AND r.state = 'open' AND r.cancel_reason IS NULL AND r.handed_epoch = v.current_epoch) AS active_runs,
         (SELECT count(*) FROM vm_runs r WHERE r.vm_id = v.id AND r.state = 'open' AND r.handed_epoch IS DISTINCT FROM v.current_epoch) AS pending_hand_overs,
         CASE WHEN v.state <> 'pausing' THEN 0 ELSE (SELECT count(*) FROM vm_sessions s WHERE s.vm_id = v.id AND s.epoch = v.current_epoch
           AND EXISTS (SELECT 1 FROM session_snapshots p WHERE p.tenant_id = s.tenant_id AND p.session_id = s.session_id AND p.epoch = v.current_epoch)
           AND NOT EXISTS (SELECT 1 FROM session_snapshots p WHERE p.tenant_id = s.tenant_id AND p.session_id = s.session_id AND p.epoch = v.current_epoch
                            AND p.at >= v.state_since)) END AS snapshots_pending
    FROM vms v LEFT JOIN vm_instances i ON i.vm_id = v.id AND i.phase <> 'gone' LEFT JOIN vm_templates t ON t.id = v.template_id
   WHERE v.id = $1`;

export interface SnapshotRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly subject_id: string;
  readonly scope_key: string;
  readonly state: VmState;
  readonly state_since: Date;
  readonly desired_state: DesiredState;
  readonly generation: number;
  readonly observed_generation: number;
  readonly current_epoch: number;
  readonly attempt: number;
  readonly crashes: number;
  readonly deadline_at: Date | null;
  readonly stop_target: StopTarget | null;
  readonly reason_code: string | null;
  readonly reason_text: string | null;
  readonly last_activity_at: Date;
  readonly row_version: number;
  readonly claim_owner: string | null;
  readonly instance_epoch: number | null;
  readonly phase: InstancePhase | null;
  readonly started_at: Date | null;
  readonly attached_at: Date | null;
  readonly lease_until: Date | null;
  readonly now: Date;
  readonly open_runs: number;
  readonly pending_hand_overs: number;
  readonly active_runs: number;
  readonly snapshots_pending: number;
  readonly pool_id: string | null;
  readonly drain_reason: string | null;
  readonly provider: string | null;
  readonly host_id: string | null;
  readonly excluded_hosts: readonly string[];
  readonly allow_empty_workspace: boolean;
  readonly idle_ms: number | null;
  readonly retention_ms: number | null;
  readonly max_life_ms: number | null;
  readonly template_id: string | null;
  readonly template_name: string | null;
  readonly spec_hash: string | null;
  readonly template_provider: string | null;
  readonly isolation_min: string | null;
  readonly template_max_life_ms: number | null;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly spec: Readonly<Record<string, unknown>> | null;
}

export function toSnapshot(row: SnapshotRow): VmSnapshot {
  return {
    vm: {
      id: row.id,
      state: row.state,
      stateSince: row.state_since.getTime(),
      desired: row.desired_state,
      generation: row.generation,
      observedGeneration: row.observed_generation,
      epoch: row.current_epoch,
      attempt: row.attempt,
      crashes: row.crashes,
      deadlineAt: row.deadline_at?.getTime(),
      stopTarget: row.stop_target ?? undefined,
      reason: row.reason_code === null ? undefined : { code: row.reason_code, text: row.reason_text ?? '' },
      lastActivityAt: row.last_activity_at.getTime(),
      openRuns: row.open_runs,
      activeRuns: row.active_runs,
      poolId: row.pool_id ?? undefined,
      drainReason: row.drain_reason ?? undefined,
      snapshotsPending: row.snapshots_pending,
    },
    owner: ownerOf(row),
    instance:
      row.instance_epoch === null || row.phase === null || row.started_at === null
        ? undefined
        : {
            epoch: row.instance_epoch,
            phase: row.phase,
            startedAt: row.started_at.getTime(),
            attachedAt: row.attached_at?.getTime(),
            leaseUntil: row.lease_until?.getTime(),
          },
    rowVersion: row.row_version,
    claimOwner: row.claim_owner ?? undefined,
    pendingHandOvers: row.pending_hand_overs,
    limits: {
      ...(row.idle_ms === null ? {} : { idleMs: row.idle_ms }),
      ...(row.retention_ms === null ? {} : { retentionMs: row.retention_ms }),
      ...(row.max_life_ms === null ? {} : { maxLifeMs: row.max_life_ms }),
    },
    provider: row.provider ?? undefined,
    hostId: row.host_id ?? undefined,
    template: templateOf(row),
    excludedHosts: row.excluded_hosts,
    allowEmptyWorkspace: row.allow_empty_workspace,
    now: row.now.getTime(),
  };
}

function templateOf(row: SnapshotRow): TemplateRow | undefined {
  if (row.template_id === null || row.template_name === null) return undefined;
  return {
    id: row.template_id,
    name: row.template_name,
    hash: row.spec_hash ?? '',
    provider: row.template_provider ?? undefined,
    isolationMin: row.isolation_min ?? 'none',
    labels: row.labels ?? {},
    maxLifeMs: row.template_max_life_ms ?? undefined,
    spec: row.spec ?? {},
  };
}

export function ownerOf(row: { readonly tenant_id: string; readonly subject_id: string; readonly scope_key: string }): OwnerKey {
  return { tenant: row.tenant_id, subject: row.subject_id, scope: row.scope_key };
}

/** Writes the edges taken, in order, and their events. `rowVersion` is that of the row after the first of them. */
export async function recordMoves(
  tx: Tx,
  events: Events,
  vm: { readonly id: string; readonly owner: OwnerKey; readonly epoch: number; readonly rowVersion: number; readonly replica: string },
  moves: readonly Move[],
): Promise<void> {
  for (const [index, move] of moves.entries()) {
    await tx.query('vm_transition', 'INSERT INTO vm_transitions (vm_id, from_state, to_state, cause, epoch, replica) VALUES ($1, $2, $3, $4, $5, $6)', [
      vm.id,
      move.from,
      move.to,
      move.cause,
      vm.epoch,
      vm.replica,
    ]);
    await appendOutbox(tx, [events.stateChanged(vm, move, vm.rowVersion + index)]);
  }
}

/** Ends a run in the outbox, unless it has an end already. Its command is no longer needed. */
export async function endRun(tx: Tx, events: Events, run: RunAddress, ending: RunEnding): Promise<boolean> {
  const rows = await tx.query(
    'run_ending',
    `UPDATE vm_runs SET state = 'ending', command = NULL, steers = '[]', bind_at = NULL, unavailable_at = NULL, check_at = NULL
      WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3 AND state = 'open' RETURNING run_id`,
    [run.tenant, run.sessionId, run.runId],
  );
  if (rows.length === 0) return false;
  await appendOutbox(tx, [events.runEnded(run, ending)]);
  return true;
}

export interface RunAddressRow {
  readonly tenant_id: string;
  readonly session_id: string;
  readonly run_id: string;
  readonly session_key: string;
  readonly owner: string;
  readonly agent_id: string;
}

export const RUN_ADDRESS = 'r.tenant_id, r.session_id, r.run_id, r.session_key, r.owner, r.agent_id';

export function toRunAddress(row: RunAddressRow): RunAddress {
  return { tenant: row.tenant_id, sessionId: row.session_id, runId: row.run_id, sessionKey: row.session_key, owner: row.owner, agentId: row.agent_id };
}

/** Ends every open run of a VM that is over for good. */
export async function endRunsOf(tx: Tx, events: Events, vmId: string, ending: RunEnding): Promise<void> {
  const rows = await tx.query<RunAddressRow>('runs_of_vm', `SELECT ${RUN_ADDRESS} FROM vm_runs r WHERE r.vm_id = $1 AND r.state = 'open'`, [vmId]);
  for (const row of rows) await endRun(tx, events, toRunAddress(row), ending);
}
