import type { Database, Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import type { HandOver, RunAddress, RunCommand, RunRow, RunStore, Steer, Touched } from '../../application/ports.js';
import { CANCEL_ESCALATION_MS, type RunEnding, UNAVAILABLE_AFTER_MS } from '../../domain/run-ending.js';
import { storableJson } from '../../domain/storable-json.js';
import { hearsCommands, takesWork, type VmState } from '../../domain/vm-state.js';
import { noteActivity } from './activity.js';
import type { MakeVmParts } from './make-vm.js';
import { framesOfCancel, framesOfSteer, queueFrames } from './outbox-frames.js';
import { bindRun, queueRun } from './run-binding.js';
import { findPendingHandOvers, findRun, lockRun, lockUnbound, type RunState, runKey } from './run-rows.js';
import { endRun, RUN_ADDRESS, type RunAddressRow, toRunAddress, WAKE } from './vm-rows.js';

const BIND_BATCH = 64;

/** Open runs, from the command to the end, in Postgres. Locks are taken in the order VM, run, incarnation. */
export class PostgresRunStore implements RunStore {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly parts: MakeVmParts,
  ) {}

  start(address: RunAddress, scopeKey: string, command: RunCommand, traceparent: string | undefined, newVmId: string): Promise<Touched> {
    return this.database.transaction(async (tx) => {
      const [inserted] = await tx.query(
        'run_start',
        `INSERT INTO vm_runs (tenant_id, session_id, run_id, state, session_key, owner, agent_id, scope_key, command, traceparent, bind_at, unavailable_at)
         VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9, clock_timestamp(), clock_timestamp() + $10 * interval '1 millisecond')
         ON CONFLICT (tenant_id, session_id, run_id) DO NOTHING RETURNING run_id`,
        [...runKey(address), address.sessionKey, address.owner, address.agentId, scopeKey, storableJson(command), traceparent ?? null, UNAVAILABLE_AFTER_MS],
      );
      if (inserted === undefined) return this.startAgain(tx, address);
      const run = await findRun(tx, address);
      return run === undefined ? undefined : bindRun(tx, run, newVmId, this.parts);
    });
  }

  /** A redelivery changes nothing; a start that its cancel has overtaken ends here. */
  private async startAgain(tx: Tx, address: RunAddress): Promise<undefined> {
    const [overtaken] = await tx.query<{ cancel_reason: string | null }>(
      'run_overtaken',
      `UPDATE vm_runs SET state = 'open' WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3 AND state = 'cancelled' RETURNING cancel_reason`,
      runKey(address),
    );
    if (overtaken !== undefined)
      await endRun(tx, this.events, address, { kind: 'cancelled', reason: overtaken.cancel_reason ?? 'cancelled', synthesized: true });
    return undefined;
  }

  cancel(address: RunAddress, reason: string): Promise<Touched> {
    return this.database.transaction(async (tx) => {
      const [remembered] = await tx.query(
        'run_cancel_early',
        `INSERT INTO vm_runs (tenant_id, session_id, run_id, state, session_key, owner, agent_id, cancel_reason) VALUES ($1, $2, $3, 'cancelled', $4, $5, $6, $7)
         ON CONFLICT (tenant_id, session_id, run_id) DO NOTHING RETURNING run_id`,
        [...runKey(address), address.sessionKey, address.owner, address.agentId, reason],
      );
      if (remembered !== undefined) return undefined;
      const found = await this.lockBoth(tx, address);
      if (found === undefined || found.run.cancelReason !== undefined) return undefined;
      const working = found.worksOnIt && (await queueFrames(tx, found.vmId, found.epoch, framesOfCancel(address, reason))) !== undefined;
      if (found.run.state !== 'open') {
        // Its end was read first, as after a reset or a timeout, where somebody else wrote it: whoever works on it does not know. One that has finished ignores it.
        if (!working) return undefined;
        await tx.query('run_cancel_late', 'UPDATE vm_runs SET cancel_reason = $4 WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3', [
          ...runKey(address),
          reason,
        ]);
        return { vmId: found.vmId, queued: true };
      }
      if (!working) {
        await endRun(tx, this.events, address, { kind: 'cancelled', reason, synthesized: true });
        return undefined;
      }
      await tx.query(
        'run_cancel',
        `UPDATE vm_runs SET cancel_reason = $4, check_at = least(check_at, clock_timestamp() + $5 * interval '1 millisecond')
          WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3`,
        [...runKey(address), reason, CANCEL_ESCALATION_MS],
      );
      return { vmId: found.vmId, queued: true };
    });
  }

  steer(address: RunAddress, steer: Steer): Promise<{ readonly kind: 'queued' | 'unknown' | 'over'; readonly touched?: Touched }> {
    return this.database.transaction(async (tx) => {
      const found = await this.lockBoth(tx, address);
      if (found === undefined) return { kind: 'unknown' } as const;
      if (found.run.state !== 'open' || found.run.cancelReason !== undefined) return { kind: 'over' } as const;
      if (found.run.steers.some((earlier) => earlier.id === steer.id)) return { kind: 'queued' } as const;
      await tx.query('run_steer', `UPDATE vm_runs SET steers = steers || $4::jsonb WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3`, [
        ...runKey(address),
        storableJson([steer]),
      ]);
      // Not handed over yet: the hand-over brings it along.
      if (!found.worksOnIt) return { kind: 'queued' } as const;
      await queueFrames(tx, found.vmId, found.epoch, framesOfSteer(address, steer));
      return { kind: 'queued', touched: { vmId: found.vmId, queued: true } } as const;
    });
  }

  /**
   * The run and its VM, locked in this order: VM, run. A run that got its VM after the look at it was just bound, in the order run, VM: taking
   * the VM in that order too may meet a deadlock, which runs the transaction again.
   */
  private async lockBoth(
    tx: Tx,
    address: RunAddress,
  ): Promise<{ readonly run: RunRow & { readonly state: RunState }; readonly vmId: string; readonly epoch: number; readonly worksOnIt: boolean } | undefined> {
    const seen = await findRun(tx, address);
    if (seen === undefined) return undefined;
    const locked = seen.vmId === undefined ? undefined : await this.lockVm(tx, seen.vmId);
    const run = await lockRun(tx, address);
    if (run === undefined) return undefined;
    const vm = run.vmId === undefined ? undefined : run.vmId === seen.vmId ? locked : await this.lockVm(tx, run.vmId);
    const worksOnIt = vm !== undefined && run.vmId === vm.id && hearsCommands(vm.state) && run.handedEpoch === vm.current_epoch;
    return { run, vmId: vm?.id ?? '', epoch: vm?.current_epoch ?? 0, worksOnIt };
  }

  private async lockVm(tx: Tx, vmId: string): Promise<{ id: string; state: VmState; current_epoch: number } | undefined> {
    const [vm] = await tx.query<{ id: string; state: VmState; current_epoch: number }>(
      'vm_lock',
      'SELECT id, state, current_epoch FROM vms WHERE id = $1 FOR UPDATE',
      [vmId],
    );
    return vm;
  }

  async bindDue(newVmId: () => string): Promise<number> {
    let bound = 0;
    while (bound < BIND_BATCH) {
      const found = await this.database.transaction(async (tx) => {
        const run = await lockUnbound(tx);
        if (run !== undefined) await bindRun(tx, run, newVmId(), this.parts);
        return run !== undefined;
      });
      if (!found) break;
      bound += 1;
    }
    return bound;
  }

  pendingHandOvers(vmId: string, epoch: number): Promise<RunRow[]> {
    return findPendingHandOvers(this.database, vmId, epoch);
  }

  handTo(run: RunRow, vmId: string, epoch: number, how: HandOver): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const vm = await this.lockVm(tx, vmId);
      if (vm === undefined || vm.current_epoch !== epoch || !takesWork(vm.state)) return false;
      const now = await lockRun(tx, run);
      if (now === undefined || now.state !== 'open' || now.vmId !== vmId || now.handedEpoch === epoch || now.cancelReason !== undefined) return false;
      return queueRun(tx, now, vmId, epoch, how);
    });
  }

  end(run: RunAddress, ending: RunEnding): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const found = await this.lockBoth(tx, run);
      if (found === undefined || !(await endRun(tx, this.events, run, ending))) return false;
      // Whoever works on it must not go on for nobody; a runtime that has stopped by itself ignores it.
      if (found.worksOnIt) await queueFrames(tx, found.vmId, found.epoch, framesOfCancel(run, ending.kind === 'cancelled' ? ending.reason : ending.code));
      return true;
    });
  }

  close(
    tenant: string,
    sessionId: string,
    runId: string,
    end: { readonly seq: number; readonly vmId: string | undefined; readonly epoch: number | undefined },
  ): Promise<void> {
    // In one piece: an end without the activity that it is would be an idle VM.
    return this.database.transaction(async (tx) => {
      const [seen] = await tx.query<{ vm_id: string | null }>(
        'run_close_vm',
        'SELECT vm_id FROM vm_runs WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3',
        [tenant, sessionId, runId],
      );
      if (seen?.vm_id != null) await this.lockVm(tx, seen.vm_id);
      const [closed] = await tx.query<{ vm_id: string | null }>(
        'run_close',
        `UPDATE vm_runs r SET state = 'ended', ended_at = clock_timestamp(), command = NULL, steers = '[]', bind_at = NULL, unavailable_at = NULL, check_at = NULL
        WHERE r.tenant_id = $1 AND r.session_id = $2 AND r.run_id = $3 AND r.state IN ('open', 'ending')
          AND NOT EXISTS (SELECT 1 FROM vm_sessions s WHERE s.tenant_id = $1 AND s.session_id = $2 AND s.marked_epoch > 0 AND s.marker_seq < $5
                           AND (s.vm_id <> $6::text OR s.marked_epoch > $4::bigint))
        RETURNING r.vm_id`,
        [tenant, sessionId, runId, end.epoch ?? null, end.seq, end.vmId ?? null],
      );
      if (closed?.vm_id == null) return;
      await tx.query('run_closed_activity', 'UPDATE vms SET last_activity_at = clock_timestamp() WHERE id = $1', [closed.vm_id]);
      // A drain may go on, and an idle limit begins: both are looked at now, not with the next look that was planned while it worked.
      await tx.query('run_closed_wake', `UPDATE vms SET ${WAKE} WHERE id = $1 AND state IN ('ready', 'draining')`, [closed.vm_id]);
      await noteActivity(tx, closed.vm_id, 'run-ended', `run ${runId}`);
    });
  }

  async unavailable(limit: number): Promise<(RunAddress & { readonly reason: string })[]> {
    const rows = await this.database.query<RunAddressRow & { reason: string }>(
      'runs_unavailable',
      `SELECT ${RUN_ADDRESS}, coalesce(v.reason_code || ': ' || v.reason_text, CASE WHEN v.id IS NULL THEN 'no VM could be made' ELSE 'the VM is ' || v.state END) AS reason
         FROM vm_runs r LEFT JOIN vms v ON v.id = r.vm_id
        WHERE r.state = 'open' AND least(r.unavailable_at, r.check_at) <= clock_timestamp() AND r.unavailable_at <= clock_timestamp() LIMIT $1`,
      [limit],
    );
    return rows.map((row) => ({ ...toRunAddress(row), reason: row.reason }));
  }

  async checkDue(limit: number): Promise<(RunAddress & { readonly timeoutMs: number; readonly cancelReason: string | undefined; readonly now: number })[]> {
    const rows = await this.database.query<RunAddressRow & { timeout_ms: number | null; cancel_reason: string | null; now: Date }>(
      'runs_to_check',
      `SELECT ${RUN_ADDRESS}, (r.command->>'timeoutMs')::float8 AS timeout_ms, r.cancel_reason, clock_timestamp() AS now FROM vm_runs r
        WHERE r.state = 'open' AND least(r.unavailable_at, r.check_at) <= clock_timestamp() AND r.check_at <= clock_timestamp() LIMIT $1`,
      [limit],
    );
    return rows.map((row) => ({
      ...toRunAddress(row),
      timeoutMs: row.timeout_ms ?? 600_000,
      cancelReason: row.cancel_reason ?? undefined,
      now: row.now.getTime(),
    }));
  }

  async checkAgainAt(run: RunAddress, at: number): Promise<void> {
    await this.database.query(
      'run_check_again',
      `UPDATE vm_runs SET check_at = CASE WHEN cancel_reason IS NULL THEN $4 ELSE check_at END WHERE tenant_id = $1 AND session_id = $2 AND run_id = $3 AND state = 'open'`,
      [...runKey(run), new Date(at)],
    );
  }
}
