import type { Database } from '@plexus/database';
import type { EnsureStep, OwnerKey, OwnerStore } from '../../application/ports.js';
import { findCooling, findLive, insertVm, needsWish, type OwnerRow, writeWish } from './owner-rows.js';
import { LIVE } from './vm-rows.js';

/** The way from an owner to the VM. */
export class PostgresOwnerStore implements OwnerStore {
  constructor(private readonly database: Database) {}

  async ensure(key: OwnerKey, newId: string): Promise<EnsureStep> {
    const row = await findLive(this.database, key);
    if (row !== undefined) return this.join(row);
    const cooling = await findCooling(this.database, key);
    if (cooling !== undefined) return { kind: 'cooling', vmId: cooling.id, epoch: cooling.current_epoch, reason: reasonOf(cooling) ?? 'it failed' };
    const created = await insertVm(this.database, key, newId);
    return created === undefined ? { kind: 'contended' } : live(created, { created: true });
  }

  private async join(row: OwnerRow): Promise<EnsureStep> {
    if (row.desired_state === 'terminated') return { kind: 'ending', vmId: row.id, epoch: row.current_epoch, state: row.state };
    if (needsWish(row)) return (await writeWish(this.database, row)) ? live(row, { resumed: true }) : { kind: 'contended' };
    if (row.state === 'ready') await this.noteActivity(row.id);
    return live(row, {});
  }

  /** At most one write a minute: ensuring a VM that is ready is a read. */
  private async noteActivity(vmId: string): Promise<void> {
    await this.database.query(
      'owner_activity',
      `UPDATE vms SET last_activity_at = clock_timestamp() WHERE id = $1 AND last_activity_at < clock_timestamp() - interval '1 minute'`,
      [vmId],
    );
  }

  async terminate(vmId: string, tenant: string, subject: string | undefined): Promise<boolean> {
    const rows = await this.database.query<{ id: string }>(
      'owner_terminate',
      `UPDATE vms SET desired_state = 'terminated', next_action_at = clock_timestamp(), row_version = row_version + 1
        WHERE id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR subject_id = $3) AND ${LIVE} AND desired_state <> 'terminated' RETURNING id`,
      [vmId, tenant, subject ?? null],
    );
    return rows.length === 1;
  }
}

function live(row: OwnerRow, how: { readonly created?: boolean; readonly resumed?: boolean }): EnsureStep {
  const reason = reasonOf(row);
  return {
    kind: 'live',
    vmId: row.id,
    epoch: row.current_epoch,
    state: row.state,
    created: how.created ?? false,
    resumed: how.resumed ?? false,
    ...(reason === undefined ? {} : { reason }),
  };
}

function reasonOf(row: OwnerRow): string | undefined {
  return row.reason_code === null ? undefined : `${row.reason_code}: ${row.reason_text ?? ''}`.slice(0, 500);
}
