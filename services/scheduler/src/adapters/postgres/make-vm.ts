import type { Tx } from '@plexus/database';
import type { Events } from '../../application/events.js';
import { MODEL_SECRET } from '../../application/admission.js';
import type { EnsureStep, OwnerKey, VmQuota, VmWish } from '../../application/ports.js';
import { askToStart } from './breaker-rows.js';
import { noteActivity } from './activity.js';
import { queueFrames } from './outbox-frames.js';
import { findLive, type OwnerRow } from './owner-rows.js';
import { LIVE, recordMoves } from './vm-rows.js';

/** What making a VM needs beside the row. */
export interface MakeVmParts {
  readonly events: Events;
  readonly replica: string;
  readonly quota: VmQuota;
  /** Provider of templates that name none. */
  readonly defaultProvider: string;
  /** Limits that the tenant's configuration names for an agent. */
  readonly limitsOf: (tenant: string, agentId: string) => { readonly idleMs?: number; readonly retentionMs?: number };
}

export const DEFAULT_TEMPLATE = 'default';

export type MadeVm =
  | { readonly kind: 'made'; readonly row: OwnerRow; readonly warm: boolean }
  /** Somebody else has just made one. */
  | { readonly kind: 'contended' }
  | Extract<EnsureStep, { kind: 'quota' | 'broken' | 'no-template' }>;

interface Template {
  readonly id: string;
  readonly spec_hash: string;
  readonly provider: string | null;
}

/** On their way to be ready; a paused VM counts from the moment that somebody wants it. */
const STARTING = `(state IN ('requested', 'provisioning', 'booting', 'backoff') OR (state IN ('paused', 'stopping') AND desired_state = 'running' AND generation > observed_generation))`;

const COLUMNS = 'id, state, desired_state, stop_target, generation, observed_generation, current_epoch, reason_code, reason_text, drain_reason';

/**
 * Makes the VM of an owner key, in one transaction: the lock of the tenant's quota, the count, and then either a member of a warm pool or a new row,
 * never both. The partial unique index decides between callers of different tenants' locks; within a tenant the lock does.
 */
export async function makeVm(tx: Tx, key: OwnerKey, newId: string, wish: VmWish, parts: MakeVmParts): Promise<MadeVm> {
  const [template] = await tx.query<Template>('make_template', 'SELECT id, spec_hash, provider FROM vm_templates WHERE name = $1 AND is_current', [
    wish.template ?? DEFAULT_TEMPLATE,
  ]);
  if (template === undefined && wish.template !== undefined) return { kind: 'no-template', name: wish.template };
  const denied = await overQuota(tx, key, parts.quota(key.tenant));
  // Whoever waited for the lock may find what it wanted to make.
  if ((await findLive(tx, key)) !== undefined) return { kind: 'contended' };
  if (denied !== undefined) return denied;
  const claimed = template === undefined ? undefined : await claimWarm(tx, key, template, wish, parts);
  if (claimed !== undefined) return { kind: 'made', row: claimed, warm: true };
  const provider = template?.provider ?? parts.defaultProvider;
  const broken = await askToStart(tx, provider, template?.spec_hash ?? '');
  if (broken !== undefined) return { kind: 'broken', provider, ...broken };
  const row = await insert(tx, key, newId, template, provider, wish);
  if (row === undefined) return { kind: 'contended' };
  await noteActivity(tx, row.id, 'created', wish.source ?? 'unknown');
  return { kind: 'made', row, warm: false };
}

/** Whether one more VM of the tenant may start now, for those that exist already. Locks the tenant's quota row until the transaction ends, where it has such a limit. */
export async function tooManyStarting(tx: Tx, tenant: string): Promise<Extract<EnsureStep, { kind: 'quota' }> | undefined> {
  const [quota] = await tx.query<{ max_starting: number }>(
    'quota_starting_lock',
    'SELECT max_starting FROM tenant_quota WHERE tenant_id = $1 AND max_starting IS NOT NULL FOR UPDATE',
    [tenant],
  );
  if (quota === undefined) return undefined;
  const [count] = await tx.query<{ starting: number }>(
    'quota_starting_count',
    `SELECT count(*) AS starting FROM vms WHERE tenant_id = $1 AND pool_id IS NULL AND ${LIVE} AND ${STARTING}`,
    [tenant],
  );
  const starting = count?.starting ?? 0;
  return starting < quota.max_starting ? undefined : { kind: 'quota', what: 'starting', limit: quota.max_starting, live: starting };
}

/** Locks the tenant's quota row until the transaction ends, and counts. A failed VM counts no more, a paused one does. */
async function overQuota(tx: Tx, key: OwnerKey, configured: number | undefined): Promise<Extract<EnsureStep, { kind: 'quota' }> | undefined> {
  const [quota] = await tx.query<{ max_live: number | null; max_starting: number | null; per_user_max: number | null }>(
    'quota_lock',
    `INSERT INTO tenant_quota (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO UPDATE SET tenant_id = excluded.tenant_id
     RETURNING max_live, max_starting, per_user_max`,
    [key.tenant],
  );
  const [count] = await tx.query<{ live: number; own: number; starting: number }>(
    'quota_count',
    `SELECT count(*) AS live, count(*) FILTER (WHERE subject_id = $2) AS own,
            count(*) FILTER (WHERE ${STARTING}) AS starting
       FROM vms WHERE tenant_id = $1 AND pool_id IS NULL AND ${LIVE}`,
    [key.tenant, key.subject],
  );
  const { live, own, starting } = count ?? { live: 0, own: 0, starting: 0 };
  const limit = Math.min(configured ?? Number.POSITIVE_INFINITY, quota?.max_live ?? Number.POSITIVE_INFINITY);
  if (live >= limit) return { kind: 'quota', what: 'tenant', limit, live };
  if (quota?.per_user_max != null && own >= quota.per_user_max) return { kind: 'quota', what: 'user', limit: quota.per_user_max, live: own };
  if (quota?.max_starting != null && starting >= quota.max_starting) return { kind: 'quota', what: 'starting', limit: quota.max_starting, live: starting };
  return undefined;
}

/**
 * Gives a member of a pool its owner, unless that owner has a key for models: the member was started with the platform's. It keeps its incarnation; the runtime is told whose it is by a `bind` frame, whose token
 * is made when it is read.
 */
async function claimWarm(tx: Tx, key: OwnerKey, template: Template, wish: VmWish, parts: MakeVmParts): Promise<OwnerRow | undefined> {
  // Not skipping what is locked: whoever fills the pool locks all of its members for a moment.
  const [row] = await tx.query<OwnerRow & { readonly row_version: number }>(
    'warm_claim',
    `UPDATE vms SET subject_id = $2, scope_key = $3, pool_id = NULL, state = 'ready', state_since = clock_timestamp(), last_activity_at = clock_timestamp(),
            observed_generation = generation, idle_ms = $5, retention_ms = $6, max_life_ms = NULL, next_action_at = clock_timestamp(), row_version = row_version + 1
      WHERE id = (SELECT v.id FROM vms v JOIN vm_instances i ON i.vm_id = v.id AND i.epoch = v.current_epoch AND i.phase = 'running'
                   WHERE v.tenant_id = $1 AND v.pool_id IS NOT NULL AND v.state = 'warm' AND v.desired_state = 'running'
                     AND (v.template_hash = $4 OR EXISTS (SELECT 1 FROM warm_pools p WHERE p.id = v.pool_id AND p.update_policy = 'keep' AND p.template = $7))
                     AND NOT EXISTS (SELECT 1 FROM provider_secrets s WHERE s.tenant_id = $1 AND s.subject_id = $2 AND s.name = $8)
                     AND i.gateway IS NOT NULL AND i.lease_until > clock_timestamp()
                   ORDER BY (v.template_hash = $4) DESC, v.state_since LIMIT 1 FOR UPDATE OF v)
      RETURNING ${COLUMNS}, row_version`,
    [key.tenant, key.subject, key.scope, template.spec_hash, wish.idleMs ?? null, wish.retentionMs ?? null, wish.template ?? DEFAULT_TEMPLATE, MODEL_SECRET],
  );
  if (row === undefined) return undefined;
  const vm = { id: row.id, owner: key, epoch: row.current_epoch, rowVersion: row.row_version, replica: parts.replica };
  await recordMoves(tx, parts.events, vm, [{ from: 'warm', to: 'ready', cause: 'claim' }]);
  const body = { type: 'bind', data: { user_id: key.subject, org_id: key.tenant } };
  await queueFrames(tx, row.id, row.current_epoch, [{ type: 'bind', sessionId: null, runId: null, body }]);
  await noteActivity(tx, row.id, 'claimed', wish.source ?? 'unknown');
  return row;
}

async function insert(tx: Tx, key: OwnerKey, id: string, template: Template | undefined, provider: string, wish: VmWish): Promise<OwnerRow | undefined> {
  const [row] = await tx.query<OwnerRow>(
    'vm_insert',
    `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at, template_id, template_hash, provider, idle_ms, retention_ms, allow_empty_workspace)
     VALUES ($1, $2, $3, $4, 'requested', clock_timestamp(), $5, $6, $7, $8, $9, $10)
     ON CONFLICT (tenant_id, subject_id, scope_key) WHERE ${LIVE} AND pool_id IS NULL DO NOTHING RETURNING ${COLUMNS}`,
    [
      id,
      key.tenant,
      key.subject,
      key.scope,
      template?.id ?? null,
      template?.spec_hash ?? null,
      provider,
      wish.idleMs ?? null,
      wish.retentionMs ?? null,
      wish.allowEmptyWorkspace ?? false,
    ],
  );
  return row;
}
