import { appendOutbox, type Database, type OutboxMessage, type Tx } from '@plexus/database';
import { LIVE } from './vm-rows.js';

const VMS = 'SELECT id FROM vms WHERE tenant_id = $1 AND subject_id = $2';
const SESSIONS = `
  SELECT session_id FROM vm_sessions WHERE tenant_id = $1 AND owner = $2 UNION SELECT session_id FROM vm_runs WHERE tenant_id = $1 AND owner = $2`;
/** Frames of the person's VMs, and of their sessions in a VM that others share. */
const FRAMES = `vm_id IN (SELECT id FROM vms WHERE tenant_id = $1) AND (vm_id IN (${VMS}) OR session_id IN (${SESSIONS}))`;

const TERMINATE = `
  UPDATE vms SET erase_requested_at = coalesce(erase_requested_at, clock_timestamp()), row_version = row_version + 1,
         desired_state = CASE WHEN ${LIVE} THEN 'terminated' ELSE desired_state END,
         next_action_at = CASE WHEN ${LIVE} THEN clock_timestamp() ELSE next_action_at END
   WHERE tenant_id = $1 AND subject_id = $2 RETURNING id`;
/** A frame that is on its way keeps its number, or the numbers behind it would have a gap; it says nothing any more. */
const BLANK_FRAMES = `
  UPDATE vm_outbox SET type = 'cancel', body = jsonb_strip_nulls(jsonb_build_object('type', 'cancel', 'session_id', session_id, 'run_id', run_id,
         'reason', 'erased', 'data', jsonb_build_object('reason', 'erased', 'run_id', run_id)))
   WHERE acked_at IS NULL AND type IN ('start_session', 'user_message', 'config_update') AND session_id IS NOT NULL AND ${FRAMES} RETURNING 1 AS gone`;

/** What happened to the person's VMs, and what the person did with VMs of others: `<role> <user>` is its source. */
const ACTIVITY = `
  DELETE FROM vm_activity WHERE vm_id IN (${VMS})
     OR (vm_id IN (SELECT id FROM vms WHERE tenant_id = $1) AND position(' ' IN source) > 0 AND substr(source, position(' ' IN source) + 1) = $2) RETURNING 1 AS gone`;
/** Instead of the name in the row of a VM that is over; the row stays as long as any other. */
const NOBODY = '_erased';
const UNNAME = `
  UPDATE vms SET subject_id = '${NOBODY}' WHERE tenant_id = $1 AND subject_id = $2 AND NOT (${LIVE}) AND erase_requested_at IS NOT NULL
     AND (workspace_removed_at IS NOT NULL OR host_id IS NULL) AND NOT EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = vms.id AND i.phase <> 'gone')`;

/** What is removed, in this order: sessions and runs say whose the rest is. */
const REMOVALS = [
  ['snapshots', `DELETE FROM session_snapshots WHERE tenant_id = $1 AND (session_id IN (${SESSIONS}) OR vm_id IN (${VMS})) RETURNING 1 AS gone`],
  ['deadLetters', `DELETE FROM vm_dead_letters WHERE vm_id IN (${VMS}) RETURNING 1 AS gone`],
  ['frames', `DELETE FROM vm_outbox WHERE acked_at IS NOT NULL AND ${FRAMES} RETURNING 1 AS gone`],
  ['blankedFrames', BLANK_FRAMES],
  ['activity', ACTIVITY],
  ['audit', `DELETE FROM vm_audit WHERE tenant_id = $1 AND (vm_id IN (${VMS}) OR session_id IN (${SESSIONS})) RETURNING 1 AS gone`],
  ['usage', 'DELETE FROM usage WHERE tenant_id = $1 AND (subject_id = $2 OR owner = $2) RETURNING 1 AS gone'],
  ['providerKeys', 'DELETE FROM provider_secrets WHERE tenant_id = $1 AND subject_id = $2 RETURNING 1 AS gone'],
  ['runs', 'DELETE FROM vm_runs WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone'],
  ['sessions', 'DELETE FROM vm_sessions WHERE tenant_id = $1 AND owner = $2 RETURNING 1 AS gone'],
] as const;

/** How much of what was removed; `vms` are told to end, and their workspaces go when they have. */
export type ErasedCounts = Readonly<Record<'vms' | (typeof REMOVALS)[number][0], number>>;

/** Removes a person for good, and puts the receipt into the outbox of the same transaction. May be repeated. */
export class PersonEraser {
  constructor(
    private readonly database: Database,
    private readonly encodeReceipt: (tenant: string, erasureId: string, user: string, counts: ErasedCounts) => OutboxMessage,
    private readonly afterCommit: (tenant: string, vmIds: readonly string[]) => void,
  ) {}

  async erase(tenant: string, user: string, erasureId: string): Promise<ErasedCounts> {
    const { counts, vmIds } = await this.database.transaction(async (tx) => {
      const vms = await tx.query<{ id: string }>('erase_vms', TERMINATE, [tenant, user]);
      const erased: Record<string, number> = { vms: vms.length };
      for (const [name, sql] of REMOVALS) erased[name] = (await tx.query(`erase_${name}`, sql, [tenant, user])).length;
      await tx.query('erase_names', UNNAME, [tenant, user]);
      await appendOutbox(tx, [this.encodeReceipt(tenant, erasureId, user, erased as ErasedCounts)]);
      return { counts: erased as ErasedCounts, vmIds: vms.map(({ id }) => id) };
    });
    this.afterCommit(tenant, vmIds);
    return counts;
  }
}

/** What a VM that was still ending has written in the meantime; done when its workspace is gone. */
export async function forgetRest(tx: Pick<Tx, 'query'>, vmId: string): Promise<void> {
  for (const table of ['session_snapshots', 'vm_outbox', 'vm_dead_letters', 'vm_activity']) {
    await tx.query(
      `erase_rest_${table}`,
      `DELETE FROM ${table} WHERE vm_id = $1 AND EXISTS (SELECT 1 FROM vms v WHERE v.id = $1 AND v.erase_requested_at IS NOT NULL)`,
      [vmId],
    );
  }
  await tx.query('erase_rest_name', `UPDATE vms SET subject_id = '${NOBODY}' WHERE id = $1 AND erase_requested_at IS NOT NULL AND NOT (${LIVE})`, [vmId]);
}
