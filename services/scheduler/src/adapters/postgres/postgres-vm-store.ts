import type { Database, Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import { CLAIM_MS, type HostView, type IncarnationKey, type ProviderRef, type Site, type VmSnapshot, type VmStore } from '../../application/ports.js';
import { ISOLATION_LEVELS } from '../../application/provider-port.js';
import type { VmPolicy } from '../../domain/policy.js';
import { UNAVAILABLE_AFTER_MS } from '../../domain/run-ending.js';
import type { Decision, Move } from '../../domain/vm.js';
import type { VmState } from '../../domain/vm-state.js';
import { noteFailure } from './breaker-rows.js';
import { findHosts, HOST_ACTS, noteHostFailure } from './host-rows.js';
import { queueFrames } from './outbox-frames.js';
import { PRUNE_STATEMENTS } from './prune.js';
import { endRunsOf, LIVE, ownerOf, recordMoves, SNAPSHOT_SQL, type SnapshotRow, toSnapshot, WAKE } from './vm-rows.js';

/** Without a sign of life of any replica for so long, missing beats say nothing about the VMs. */
const PULSE_GAP_MS = 10_000;

const HOST_DOWN = 'WORKSPACE_HOST_DOWN';

interface HostDownRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly subject_id: string;
  readonly scope_key: string;
  readonly current_epoch: number;
  readonly row_version: number;
  readonly was: VmState;
}

export interface VmStoreOptions {
  readonly database: Database;
  readonly events: Events;
  /** This process; holder of claims. */
  readonly replica: string;
  /** Where this process can act: hosts of its providers. */
  readonly hostIds: readonly string[];
  readonly policy: Pick<VmPolicy, 'leaseMs'>;
}

/** VM rows in Postgres. Every time that is compared comes from the database clock. */
export class PostgresVmStore implements VmStore {
  constructor(private readonly options: VmStoreOptions) {}

  async claimDue(limit: number): Promise<string[]> {
    const rows = await this.options.database.query<{ id: string }>(
      'vm_claim_due',
      `UPDATE vms SET claim_owner = $1, claim_until = clock_timestamp() + $4 * interval '1 millisecond'
        WHERE id IN (SELECT id FROM vms
                      WHERE ${LIVE} AND next_action_at <= clock_timestamp() AND (claim_until IS NULL OR claim_until < clock_timestamp())
                        AND (host_id IS NULL OR host_id = ANY ($2) OR (state IN ('requested', 'paused', 'backoff') AND NOT ${HOST_ACTS('vms.host_id')}))
                      ORDER BY next_action_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING id`,
      [this.options.replica, this.options.hostIds, limit, CLAIM_MS],
    );
    return rows.map((row) => row.id);
  }

  async load(vmId: string): Promise<VmSnapshot | undefined> {
    const [row] = await this.options.database.query<SnapshotRow>('vm_snapshot', SNAPSHOT_SQL, [vmId]);
    return row && toSnapshot(row);
  }

  hosts(provider: string): Promise<readonly HostView[]> {
    return findHosts(this.options.database, provider, (level) => (ISOLATION_LEVELS as readonly string[]).indexOf(level));
  }

  async commit(
    snapshot: VmSnapshot,
    decision: Decision,
    outcome: { readonly ref?: ProviderRef | undefined; readonly release: boolean; readonly site?: Site },
  ): Promise<boolean> {
    const unchanged = Object.keys(decision.patch).length === 0 && decision.instance === undefined && outcome.ref === undefined;
    if (unchanged) return this.reschedule(snapshot, decision, outcome.release);
    return this.options.database.transaction(async (tx) => {
      const rowVersion = await this.writeVm(tx, snapshot, decision, outcome.release);
      if (rowVersion === undefined) return false;
      if (decision.instance?.kind === 'create' && outcome.site === undefined) throw new TypeError('an incarnation needs a site');
      const epoch = decision.instance?.kind === 'create' ? await this.createInstance(tx, snapshot, outcome.site as Site) : snapshot.vm.epoch;
      await this.writeInstance(tx, snapshot, decision, outcome.ref);
      const to = decision.patch.state;
      if (to !== undefined) await this.afterMove(tx, snapshot, to, decision, epoch, rowVersion);
      if (decision.effect.kind === 'sendDrain') {
        const { graceMs, snapshot: wantsSnapshot } = decision.effect;
        const body = { type: 'drain', data: { grace_ms: graceMs, ...(wantsSnapshot ? { snapshot: true } : {}) } };
        await queueFrames(tx, snapshot.vm.id, epoch, [{ type: 'drain', sessionId: null, runId: null, body }]);
      }
      return true;
    });
  }

  /** Nothing but the next look changes; the row version stays, so nobody else is disturbed. */
  private async reschedule(snapshot: VmSnapshot, decision: Decision, release: boolean): Promise<boolean> {
    const rows = await this.options.database.query(
      'vm_reschedule',
      `UPDATE vms SET next_action_at = $4, ${CLAIM_AFTER(5, 3)}
        WHERE id = $1 AND row_version = $2 AND claim_owner = $3 RETURNING id`,
      [snapshot.vm.id, snapshot.rowVersion, this.options.replica, at(decision.nextActionAt), release],
    );
    return rows.length === 1;
  }

  private async writeVm(tx: Tx, snapshot: VmSnapshot, { patch, nextActionAt }: Decision, release: boolean): Promise<number | undefined> {
    const { vm } = snapshot;
    const deadlineAt = patch.deadlineAt === undefined ? (vm.deadlineAt ?? null) : patch.deadlineAt;
    const stopTarget = patch.stopTarget === undefined ? (vm.stopTarget ?? null) : patch.stopTarget;
    const reason = patch.reason === undefined ? vm.reason : patch.reason;
    const [row] = await tx.query<{ row_version: number }>(
      'vm_commit',
      `UPDATE vms SET state = $6, state_since = CASE WHEN state <> $6 THEN clock_timestamp() ELSE state_since END, observed_generation = $7, attempt = $8,
              crashes = $9, deadline_at = $10, stop_target = $11, reason_code = $12, reason_text = $13, next_action_at = $14,
              drain_reason = $15, pause_degraded = coalesce($16, pause_degraded), host_id = coalesce($17, host_id),
              excluded_hosts = CASE WHEN $18 AND host_id IS NOT NULL AND NOT excluded_hosts ? host_id THEN excluded_hosts || to_jsonb(host_id) ELSE excluded_hosts END,
              row_version = row_version + 1, ${CLAIM_AFTER(5, 4)}
        WHERE id = $1 AND row_version = $2 AND current_epoch = $3 AND claim_owner = $4 RETURNING row_version`,
      [
        vm.id,
        snapshot.rowVersion,
        vm.epoch,
        this.options.replica,
        release,
        patch.state ?? vm.state,
        patch.observedGeneration ?? vm.observedGeneration,
        patch.attempt ?? vm.attempt,
        patch.crashes ?? vm.crashes,
        at(deadlineAt),
        stopTarget,
        reason?.code ?? null,
        reason?.text ?? null,
        at(nextActionAt),
        patch.drainReason === undefined ? (vm.drainReason ?? null) : patch.drainReason,
        patch.pauseDegraded ?? null,
        patch.hostId ?? null,
        patch.excludeHost === true,
      ],
    );
    return row?.row_version;
  }

  private async createInstance(tx: Tx, { vm, owner }: VmSnapshot, site: Site): Promise<number> {
    const [row] = await tx.query<{ epoch: number }>(
      'vm_instance_create',
      `INSERT INTO vm_instances (vm_id, provider, provider_name, phase, host_id, was_warm) VALUES ($1, $2, $3, 'creating', $4, $5) RETURNING epoch`,
      [vm.id, site.provider, site.name, site.hostId, vm.poolId !== undefined],
    );
    const epoch = (row as { epoch: number }).epoch;
    await tx.query(
      'vm_instance_current',
      `UPDATE vms SET current_epoch = $2, host_id = $3, provider = $4, workspace_ref = $3 || '/' || id WHERE id = $1 AND tenant_id = $5`,
      [vm.id, epoch, site.hostId, site.provider, owner.tenant],
    );
    return epoch;
  }

  private async writeInstance(tx: Tx, snapshot: VmSnapshot, { instance }: Decision, ref: ProviderRef | undefined): Promise<void> {
    const epoch = snapshot.instance?.epoch;
    if (epoch === undefined) return;
    const exit = instance?.kind === 'phase' ? instance.exit : undefined;
    await tx.query(
      'vm_instance_phase',
      `UPDATE vm_instances SET phase = coalesce($2, phase), provider_ref = coalesce($3, provider_ref), exit_code = coalesce(exit_code, $4),
              exit_signal = coalesce(exit_signal, $5), exit_reason = coalesce(exit_reason, $6),
              gone_at = CASE WHEN $2 = 'gone' THEN clock_timestamp() ELSE gone_at END
        WHERE epoch = $1`,
      [
        epoch,
        instance?.kind === 'phase' ? instance.phase : null,
        ref === undefined ? null : JSON.stringify(ref),
        exit?.code ?? null,
        exit?.signal ?? null,
        exit?.text ?? null,
      ],
    );
  }

  private async afterMove(tx: Tx, snapshot: VmSnapshot, to: VmState, decision: Decision, epoch: number, rowVersion: number): Promise<void> {
    const { events, replica } = this.options;
    const { vm, owner } = snapshot;
    await recordMoves(tx, events, { id: vm.id, owner, epoch, rowVersion, replica }, [{ from: vm.state, to, cause: decision.cause ?? 'reconcile' }]);
    if (to === 'stopping') {
      // From here on its runs wait for a successor again.
      await tx.query(
        'runs_wait_again',
        `UPDATE vm_runs SET unavailable_at = coalesce(unavailable_at, clock_timestamp() + $2 * interval '1 millisecond') WHERE vm_id = $1 AND state = 'open'`,
        [vm.id, UNAVAILABLE_AFTER_MS],
      );
    }
    if (to === 'stopping' && decision.patch.excludeHost === true && decision.patch.stopTarget !== 'requested') {
      if (snapshot.provider !== undefined)
        await noteFailure(tx, snapshot.provider, snapshot.template?.hash ?? '', `${owner.tenant}/${owner.subject}/${vm.poolId ?? ''}`);
      if (snapshot.hostId !== undefined) await noteHostFailure(tx, snapshot.hostId);
    }
    if (to === 'failed') await endRunsOf(tx, events, vm.id, { kind: 'error', code: 'VM_UNAVAILABLE', text: vm.reason?.text ?? 'The VM could not be started.' });
    if (to === 'terminated') await endRunsOf(tx, events, vm.id, { kind: 'error', code: 'VM_LOST', text: vm.reason?.text ?? 'The VM was ended.' });
  }

  async seize(vmId: string): Promise<boolean> {
    const rows = await this.options.database.query(
      'vm_seize',
      `UPDATE vms SET claim_owner = $2, claim_until = clock_timestamp() + $3 * interval '1 millisecond' WHERE id = $1 AND ${LIVE} RETURNING id`,
      [vmId, this.options.replica, CLAIM_MS],
    );
    return rows.length === 1;
  }

  async release(vmId: string): Promise<void> {
    await this.options.database.query('vm_release', 'UPDATE vms SET claim_owner = NULL, claim_until = NULL WHERE id = $1 AND claim_owner = $2', [
      vmId,
      this.options.replica,
    ]);
  }

  async releaseAll(): Promise<void> {
    await this.options.database.query('vm_release_all', 'UPDATE vms SET claim_owner = NULL, claim_until = NULL WHERE claim_owner = $1', [this.options.replica]);
  }

  async retryLater(vmId: string, afterMs: number): Promise<void> {
    await this.options.database.query(
      'vm_retry_later',
      `UPDATE vms SET claim_owner = NULL, claim_until = NULL, next_action_at = clock_timestamp() + $3 * interval '1 millisecond'
        WHERE id = $1 AND claim_owner = $2 AND ${LIVE}`,
      [vmId, this.options.replica, afterMs],
    );
  }

  async wake(vmId: string): Promise<void> {
    await this.options.database.query('vm_wake', `UPDATE vms SET ${WAKE} WHERE id = $1 AND ${LIVE}`, [vmId]);
  }

  async present(provider: string, hostId: string): Promise<IncarnationKey[]> {
    const rows = await this.options.database.query<{ vm_id: string; epoch: number }>(
      'vm_present',
      `SELECT vm_id, epoch FROM vm_instances WHERE phase <> 'gone' AND host_id = $1 AND provider = $2`,
      [hostId, provider],
    );
    return rows.map((row) => ({ vmId: row.vm_id, epoch: row.epoch }));
  }

  async pulse(): Promise<boolean> {
    return this.options.database.transaction(async (tx) => {
      const [row] = await tx.query<{ gap: number }>(
        'pulse_read',
        `INSERT INTO scheduler_pulse (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1
         RETURNING (extract(epoch FROM clock_timestamp() - at) * 1000)::float8 AS gap`,
      );
      await tx.query('pulse_write', 'UPDATE scheduler_pulse SET at = clock_timestamp() WHERE id = 1');
      if (row === undefined || row.gap < PULSE_GAP_MS) return false;
      await tx.query(
        'pulse_grace',
        `UPDATE vm_instances SET lease_until = greatest(lease_until, clock_timestamp() + $1 * interval '1 millisecond') WHERE phase = 'running' AND lease_until IS NOT NULL`,
        [this.options.policy.leaseMs],
      );
      await tx.query(
        'pulse_grace_runs',
        `UPDATE vm_runs SET unavailable_at = greatest(unavailable_at, clock_timestamp() + $1 * interval '1 millisecond'),
                check_at = greatest(check_at, clock_timestamp() + $1 * interval '1 millisecond')
          WHERE state = 'open' AND least(unavailable_at, check_at) < clock_timestamp() + $1 * interval '1 millisecond'`,
        [this.options.policy.leaseMs],
      );
      return true;
    });
  }

  noteHostsDown(): ReturnType<VmStore['noteHostsDown']> {
    return this.options.database.transaction(async (tx) => {
      const down = await tx.query<HostDownRow>(
        'vm_host_down',
        `UPDATE vms v SET state = 'suspect', state_since = clock_timestamp(), deadline_at = clock_timestamp() + $1 * interval '1 millisecond',
                reason_code = '${HOST_DOWN}', reason_text = 'Its host ' || d.host_id || ' is down; it goes on, or is started again, when the host is back.',
                desired_state = CASE WHEN d.state = 'warm' THEN 'terminated' ELSE v.desired_state END, row_version = v.row_version + 1
           FROM (SELECT o.id, o.state, o.host_id FROM vms o JOIN vm_instances i ON i.vm_id = o.id AND i.epoch = o.current_epoch
                  WHERE o.state IN ('ready', 'warm') AND i.lease_until < clock_timestamp() AND NOT o.host_id = ANY ($2) AND NOT ${HOST_ACTS('o.host_id')}
                  ORDER BY o.id LIMIT 100 FOR UPDATE OF o SKIP LOCKED) d
          WHERE v.id = d.id RETURNING v.id, v.tenant_id, v.subject_id, v.scope_key, v.current_epoch, v.row_version, d.state AS was`,
        [this.options.policy.leaseMs, this.options.hostIds],
      );
      const back = await tx.query<HostDownRow>(
        'vm_host_down_back',
        `UPDATE vms v SET state = 'ready', state_since = clock_timestamp(), deadline_at = NULL, reason_code = NULL, reason_text = NULL,
                next_action_at = clock_timestamp(), row_version = v.row_version + 1
           FROM vm_instances i
          WHERE v.state = 'suspect' AND v.reason_code = '${HOST_DOWN}' AND v.pool_id IS NULL AND i.vm_id = v.id AND i.epoch = v.current_epoch
            AND i.phase = 'running' AND i.lease_until > clock_timestamp()
          RETURNING v.id, v.tenant_id, v.subject_id, v.scope_key, v.current_epoch, v.row_version, 'suspect' AS was`,
      );
      const taken: { tenant: string; vmId: string; move: Move }[] = [];
      for (const [rows, to, cause] of [
        [down, 'suspect', 'host-down'],
        [back, 'ready', 'heartbeat'],
      ] as const) {
        for (const row of rows) {
          const move = { from: row.was, to, cause };
          const vm = { id: row.id, owner: ownerOf(row), epoch: row.current_epoch, rowVersion: row.row_version, replica: this.options.replica };
          await recordMoves(tx, this.options.events, vm, [move]);
          taken.push({ tenant: row.tenant_id, vmId: row.id, move });
        }
      }
      return taken;
    });
  }

  async prune(): Promise<void> {
    for (const [name, sql] of PRUNE_STATEMENTS) await this.options.database.query(name, sql);
  }

  async oldestBeatMs(): Promise<number> {
    const [row] = await this.options.database.query<{ age: number | null }>(
      'vm_oldest_beat',
      `SELECT (extract(epoch FROM clock_timestamp() - min(i.lease_until)) * 1000)::float8 AS age FROM vm_instances i JOIN vms v ON v.id = i.vm_id AND v.current_epoch = i.epoch
        WHERE i.phase = 'running' AND v.state = 'ready'`,
    );
    return row?.age == null ? 0 : Math.max(0, row.age + this.options.policy.leaseMs);
  }

  async countByState(): Promise<ReadonlyMap<VmState, number>> {
    const rows = await this.options.database.query<{ state: VmState; count: number }>(
      'vm_count',
      `SELECT state, count(*) AS count FROM vms WHERE ${LIVE} GROUP BY state`,
    );
    return new Map(rows.map((row) => [row.state, row.count]));
  }
}

/** SET clause that keeps (and renews) or gives up the claim; `$release` and `$replica` are parameter numbers. */
const CLAIM_AFTER = (release: number, replica: number): string =>
  `claim_owner = CASE WHEN $${release} THEN NULL ELSE $${replica} END,
   claim_until = CASE WHEN $${release} THEN NULL ELSE clock_timestamp() + interval '${CLAIM_MS} milliseconds' END`;

function at(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
