import type { Tx } from '@plexus/database';
import type { HandOver, OwnerKey, RunRow, Touched } from '../../application/ports.js';
import { UNAVAILABLE_AFTER_MS } from '../../domain/run-ending.js';
import { takesWork } from '../../domain/vm-state.js';
import { framesOf, queueFrames } from './outbox-frames.js';
import { noteActivity } from './activity.js';
import { type MakeVmParts, makeVm, tooManyStarting } from './make-vm.js';
import { findCooling, lockLive, needsWish, type OwnerRow, writeWish } from './owner-rows.js';
import { runKey } from './run-rows.js';

/** How soon a run whose VM is just being ended for good looks for the next one. */
const ENDING_RETRY_MS = 500;
const QUOTA_RETRY_MS = 2_000;

/**
 * Gives an open run its VM: finds, resumes or creates the row, wakes it, and queues the frames at once when the incarnation is there and
 * needs no marker. Otherwise the reconciler hands the run over as soon as there is an incarnation.
 */
export async function bindRun(tx: Tx, run: RunRow, newVmId: string, parts: MakeVmParts): Promise<Touched> {
  const key = ownerKeyOf(run);
  const vm = (await lockLive(tx, key)) ?? (await makeFor(tx, run, key, newVmId, parts));
  if (vm === undefined) return undefined;
  if (vm.desired_state === 'terminated') {
    await postpone(tx, run, ENDING_RETRY_MS);
    return undefined;
  }
  if (needsWish(vm)) {
    if ((await tooManyStarting(tx, run.tenant)) !== undefined) {
      await postpone(tx, run, QUOTA_RETRY_MS);
      return undefined;
    }
    await writeWish(tx, vm);
  }
  await noteActivity(tx, vm.id, 'run', `run ${run.runId} of ${run.sessionKey}`);
  await tx.query('run_bind', 'UPDATE vm_runs SET vm_id = $4, bind_at = NULL WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3', [...runKey(run), vm.id]);
  // A new row version: whoever is deciding about this VM right now must see the run.
  await tx.query(
    'run_wakes_vm',
    'UPDATE vms SET next_action_at = least(next_action_at, clock_timestamp()), last_activity_at = clock_timestamp(), row_version = row_version + 1 WHERE id = $1',
    [vm.id],
  );
  const known = run.sessionEpoch === 0 || run.sessionEpoch === vm.current_epoch;
  const queued = takesWork(vm.state) && known && (await queueRun(tx, run, vm.id, vm.current_epoch));
  return { vmId: vm.id, queued };
}

async function makeFor(tx: Tx, run: RunRow, key: OwnerKey, newVmId: string, parts: MakeVmParts): Promise<OwnerRow | undefined> {
  const cooling = await findCooling(tx, key);
  if (cooling !== undefined) {
    await postpone(tx, run, cooling.remaining_ms);
    return undefined;
  }
  const made = await makeVm(tx, key, newVmId, { source: `run ${run.runId}`, ...parts.limitsOf(run.tenant, run.agentId) }, parts);
  if (made.kind === 'made') return made.row;
  const found = made.kind === 'contended' ? await lockLive(tx, key) : undefined;
  // No room, or made and gone again in between: look once more soon. A run that finds none in time ends with VM_UNAVAILABLE.
  if (found === undefined) await postpone(tx, run, made.kind === 'broken' ? made.retryAfterMs : made.kind === 'quota' ? QUOTA_RETRY_MS : ENDING_RETRY_MS);
  return found;
}

async function postpone(tx: Tx, run: RunRow, ms: number): Promise<void> {
  await tx.query(
    'run_postpone',
    `UPDATE vm_runs SET bind_at = clock_timestamp() + $4::float8 * interval '1 millisecond' WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3`,
    [...runKey(run), Math.max(0, ms)],
  );
}

/** The VM of an agent's scope. `shared` is one for the whole tenant. */
export function ownerKeyOf(run: { readonly tenant: string; readonly owner: string; readonly scopeKey: string }): OwnerKey {
  return { tenant: run.tenant, subject: run.scopeKey === 'shared' ? '*' : run.owner, scope: run.scopeKey };
}

/** Queues a run for an incarnation and notes that it was handed over. False when that incarnation takes nothing any more. */
export async function queueRun(tx: Tx, run: RunRow, vmId: string, epoch: number, how?: HandOver): Promise<boolean> {
  const startSession = run.sessionEpoch !== epoch;
  const frames = framesOf(how === undefined ? run : await unacknowledged(tx, run), {
    startSession,
    snapshot: startSession && run.sessionEpoch !== 0 ? await newestSnapshot(tx, run) : undefined,
    resumeFrom: how?.resume === true ? how.runSeq + 1 : undefined,
  });
  const recipient = await queueFrames(tx, vmId, epoch, frames);
  if (recipient === undefined) return false;
  await tx.query(
    'session_known',
    `INSERT INTO vm_sessions (tenant_id, session_id, vm_id, session_key, owner, agent_id, epoch, last_run_id) VALUES ($1, $2, $4, $5, $6, $7, $8, $3)
     ON CONFLICT (tenant_id, session_id) DO UPDATE SET vm_id = $4, session_key = $5, owner = $6, agent_id = $7, epoch = $8, last_run_id = $3, updated_at = clock_timestamp(),
       marked_epoch = CASE WHEN $9::bigint IS NULL THEN vm_sessions.marked_epoch ELSE $8 END, marker_seq = coalesce($9, vm_sessions.marker_seq)`,
    [...runKey(run), vmId, run.sessionKey, run.owner, run.agentId, epoch, how?.markerSeq ?? null],
  );
  await tx.query(
    'run_handed',
    `UPDATE vm_runs SET handed_epoch = $4, lost = $5, run_seq = $6, check_at = clock_timestamp() + $7 * interval '1 millisecond',
            unavailable_at = CASE WHEN $8 THEN NULL ELSE coalesce(unavailable_at, clock_timestamp() + $9 * interval '1 millisecond') END
      WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3`,
    [...runKey(run), epoch, how?.lost ?? run.lost, how?.runSeq ?? run.runSeq, run.command.timeoutMs, recipient.attachedAt !== null, UNAVAILABLE_AFTER_MS],
  );
  return true;
}

/** What the earlier incarnation has acknowledged is in its journal, which the next one reads: only the rest is said again. */
async function unacknowledged(tx: Tx, run: RunRow): Promise<RunRow> {
  if (run.steers.length === 0) return run;
  const rows = await tx.query<{ id: string }>(
    'steers_acked',
    `SELECT body->'data'->'metadata'->>'message_id' AS id FROM vm_outbox
      WHERE vm_id = $1 AND epoch = $2 AND run_id = $3 AND session_id = $4 AND acked_at IS NOT NULL AND body->'data'->'metadata' ? 'message_id'`,
    [run.vmId, run.handedEpoch ?? 0, run.runId, run.sessionId],
  );
  const acked = new Set(rows.map((row) => row.id));
  return { ...run, steers: run.steers.filter((steer) => !acked.has(steer.id)) };
}

/** A larger one stays here: frames have a limit, and the workspace has a checkpoint of its own. */
const SNAPSHOT_BYTES = 262_144;

async function newestSnapshot(tx: Tx, run: RunRow): Promise<{ readonly version: number; readonly body?: unknown } | undefined> {
  const [row] = await tx.query<{ version: number; body: unknown }>(
    'session_snapshot_newest',
    `SELECT version, CASE WHEN octet_length(body::text) <= $3 THEN body END AS body FROM session_snapshots
      WHERE tenant_id = $1 AND session_id = $2 ORDER BY version DESC LIMIT 1`,
    [run.tenant, run.sessionId, SNAPSHOT_BYTES],
  );
  return row === undefined ? undefined : { version: row.version, ...(row.body === null ? {} : { body: row.body }) };
}
