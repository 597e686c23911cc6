import type { Database, Tx } from '@plexus/database';
import type { DesiredChange, EnsureStep, OwnerKey, OwnerStore, VmWish } from '../../application/ports.js';
import { hearsCommands } from '../../domain/vm-state.js';
import { noteActivity } from './activity.js';
import { type MakeVmParts, makeVm, tooManyStarting } from './make-vm.js';
import { queueFrames } from './outbox-frames.js';
import { findCooling, findLive, type LiveRow, needsWish, type OwnerRow, refreshTemplate, writeWish } from './owner-rows.js';
import { LIVE } from './vm-rows.js';

const CONTENDED = { kind: 'contended' } as const;

/** The way from an owner to the VM, and what owners want of it. */
export class PostgresOwnerStore implements OwnerStore {
  constructor(
    private readonly database: Database,
    private readonly parts: MakeVmParts,
    /** Without a limit of its own a VM is idle after so long. */
    private readonly idleMs: number,
  ) {}

  async ensure(key: OwnerKey, newId: string, wish: VmWish = {}): Promise<EnsureStep> {
    const row = await findLive(this.database, key);
    if (row !== undefined) return this.join(key, row, wish);
    const cooling = await findCooling(this.database, key);
    if (cooling !== undefined) return { kind: 'cooling', vmId: cooling.id, epoch: cooling.current_epoch, reason: reasonOf(cooling) ?? 'it failed' };
    const made = await this.database.transaction((tx) => makeVm(tx, key, newId, wish, this.parts));
    return made.kind === 'made' ? live(made.row, { created: true, warm: made.warm }) : made;
  }

  private async join(key: OwnerKey, row: LiveRow, wish: VmWish): Promise<EnsureStep> {
    if (row.desired_state === 'terminated') return { kind: 'ending', vmId: row.id, epoch: row.current_epoch, state: row.state };
    if (needsWish(row)) {
      const wished = await this.database.transaction(async (tx) => {
        const busy = await tooManyStarting(tx, key.tenant);
        if (busy !== undefined) return busy;
        const isRefreshed = row.is_stale && row.state === 'paused' && (await refreshTemplate(tx, row));
        const seen = isRefreshed ? { ...row, generation: row.generation + 1 } : row;
        return (await writeWish(tx, seen, wish.allowEmptyWorkspace)) ? undefined : CONTENDED;
      });
      if (wished !== undefined) return wished;
      await noteActivity(this.database, row.id, 'resumed', wish.source ?? 'unknown');
      return live(row, { resumed: true });
    }
    if (wish.allowEmptyWorkspace === true) await this.allowEmptyWorkspace(row.id);
    if (row.state !== 'ready') return live(row, {});
    if (row.is_stale && !row.in_use) return (await refreshTemplate(this.database, row)) ? live({ ...row, state: 'draining' }, {}) : { kind: 'contended' };
    if (row.quiet_ms > this.noteEveryMs(row)) await this.noteUse(row, wish.source ?? 'unknown');
    return live(row, { staleTemplate: row.is_stale });
  }

  private async allowEmptyWorkspace(vmId: string): Promise<void> {
    await this.database.query(
      'owner_allow_empty',
      `UPDATE vms SET allow_empty_workspace = true, next_action_at = clock_timestamp(), row_version = row_version + 1 WHERE id = $1 AND NOT allow_empty_workspace AND ${LIVE}`,
      [vmId],
    );
  }

  /** At most one write a minute, more for VMs that are soon idle: ensuring a VM that is ready is a read. */
  private noteEveryMs(row: LiveRow): number {
    return Math.min(60_000, (row.idle_ms ?? this.idleMs) / 4);
  }

  private async noteUse(row: LiveRow, source: string): Promise<void> {
    const rows = await this.database.query(
      'owner_activity',
      `UPDATE vms SET last_activity_at = clock_timestamp() WHERE id = $1 AND last_activity_at < clock_timestamp() - $2::float8 * interval '1 millisecond' RETURNING id`,
      [row.id, this.noteEveryMs(row)],
    );
    if (rows.length > 0) await noteActivity(this.database, row.id, 'ensure', source);
  }

  change(
    vmId: string,
    who: { readonly tenant: string; readonly subject: string | undefined },
    change: DesiredChange,
    source: string,
  ): ReturnType<OwnerStore['change']> {
    return this.database.transaction(async (tx) => {
      const [row] = await tx.query<OwnerRow>(
        'owner_change_lock',
        `SELECT id, state, desired_state, stop_target, generation, observed_generation, current_epoch, reason_code, reason_text, drain_reason FROM vms
          WHERE id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR subject_id = $3) FOR UPDATE`,
        [vmId, who.tenant, who.subject ?? null],
      );
      if (row === undefined) return 'unknown';
      if (change !== 'terminate' && (row.desired_state === 'terminated' || row.state === 'failed' || row.state === 'terminated')) return 'over';
      const set = assignmentOf(row, change);
      if (set === undefined) return 'same';
      if (change === 'resume' && (await tooManyStarting(tx, who.tenant)) !== undefined) return 'busy';
      await tx.query(`owner_change_${set.name}`, `UPDATE vms SET ${set.sql}, next_action_at = clock_timestamp(), row_version = row_version + 1 WHERE id = $1`, [
        vmId,
      ]);
      await noteActivity(tx, vmId, change, source);
      return 'changed';
    });
  }

  endSession(
    key: { readonly tenant: string; readonly subject: string | undefined },
    sessionId: string,
    reason: string,
  ): Promise<{ readonly terminated?: string; readonly queued?: string }> {
    return this.database.transaction(async (tx) => {
      const [own] = await tx.query<{ id: string }>(
        'session_vm_end',
        `UPDATE vms SET desired_state = 'terminated', next_action_at = clock_timestamp(), row_version = row_version + 1
          WHERE tenant_id = $1 AND scope_key = $2 AND ($3::text IS NULL OR subject_id = $3) AND ${LIVE} RETURNING id`,
        [key.tenant, `session:${sessionId}`, key.subject ?? null],
      );
      if (own !== undefined) return { terminated: own.id };
      const queued = await this.stopSession(tx, key, sessionId, reason);
      return queued === undefined ? {} : { queued };
    });
  }

  forgetSession(tenant: string, sessionId: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const [open] = await tx.query('session_forget_open', `SELECT 1 FROM vm_runs WHERE tenant_id = $1 AND session_id = $2 AND state = 'open' LIMIT 1`, [
        tenant,
        sessionId,
      ]);
      // Whatever its VM still sends of it belongs to no session from here on; a snapshot that is just being taken in is waited for, and goes too.
      if (open === undefined) await tx.query('session_forget', 'DELETE FROM vm_sessions WHERE tenant_id = $1 AND session_id = $2', [tenant, sessionId]);
      await tx.query('session_forget_snapshots', 'DELETE FROM session_snapshots WHERE tenant_id = $1 AND session_id = $2', [tenant, sessionId]);
      return open === undefined;
    });
  }

  private async stopSession(
    tx: Tx,
    key: { readonly tenant: string; readonly subject: string | undefined },
    sessionId: string,
    reason: string,
  ): Promise<string | undefined> {
    const [session] = await tx.query<{ vm_id: string; epoch: number; state: OwnerRow['state']; current_epoch: number }>(
      'session_stop_find',
      `SELECT s.vm_id, s.epoch, v.state, v.current_epoch FROM vm_sessions s JOIN vms v ON v.id = s.vm_id
        WHERE s.tenant_id = $1 AND s.session_id = $2 AND ($3::text IS NULL OR s.owner = $3)`,
      [key.tenant, sessionId, key.subject ?? null],
    );
    if (session === undefined || session.epoch !== session.current_epoch || !hearsCommands(session.state)) return undefined;
    const body = { type: 'stop_session', data: { session_id: sessionId, reason } };
    await queueFrames(tx, session.vm_id, session.epoch, [{ type: 'stop_session', sessionId, runId: null, body }]);
    await tx.query('session_stop', 'UPDATE vm_sessions SET epoch = 0, updated_at = clock_timestamp() WHERE tenant_id = $1 AND session_id = $2', [
      key.tenant,
      sessionId,
    ]);
    return session.vm_id;
  }
}

const NO_INCARNATION = ['requested', 'paused', 'backoff'];

/** What a wish changes in the row; undefined: nothing. The name is that of the statement. */
function assignmentOf(row: OwnerRow, change: DesiredChange): { readonly name: string; readonly sql: string } | undefined {
  switch (change) {
    case 'terminate':
      return row.desired_state === 'terminated' || row.state === 'failed' || row.state === 'terminated'
        ? undefined
        : { name: 'terminate', sql: `desired_state = 'terminated'` };
    case 'pause':
      return row.desired_state === 'paused' ? undefined : { name: 'pause', sql: `desired_state = 'paused', drain_reason = NULL` };
    case 'resume':
      return needsWish(row)
        ? { name: 'resume', sql: `desired_state = 'running', generation = generation + 1, last_activity_at = clock_timestamp()` }
        : undefined;
    case 'touch':
      return { name: 'touch', sql: 'last_activity_at = clock_timestamp()' };
    case 'drain':
      return row.drain_reason !== null || NO_INCARNATION.includes(row.state) ? undefined : { name: 'drain', sql: `drain_reason = 'operator'` };
    case 'cancel-drain':
      return row.drain_reason === null ? undefined : { name: 'undrain', sql: 'drain_reason = NULL' };
  }
}

function live(
  row: OwnerRow,
  how: { readonly created?: boolean; readonly resumed?: boolean; readonly warm?: boolean; readonly staleTemplate?: boolean },
): EnsureStep {
  const reason = reasonOf(row);
  return {
    kind: 'live',
    vmId: row.id,
    epoch: row.current_epoch,
    state: row.state,
    created: how.created ?? false,
    resumed: how.resumed ?? false,
    ...(how.warm === true ? { warm: true } : {}),
    ...(how.staleTemplate === true ? { staleTemplate: true } : {}),
    ...(reason === undefined ? {} : { reason }),
  };
}

function reasonOf(row: OwnerRow): string | undefined {
  return row.reason_code === null ? undefined : `${row.reason_code}: ${row.reason_text ?? ''}`.slice(0, 500);
}
