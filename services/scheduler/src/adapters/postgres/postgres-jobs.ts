import type { Database, Tx } from '@plexus/database';
import { forgetRest } from './person-eraser.js';
import { type JobStore, type PoolStore, POOLS_JOB, type WorkspaceStore } from '../../application/jobs.js';
import { WARM_USER } from '../../application/admission.js';
import { COOLDOWN_MS } from './owner-rows.js';
import { askToStart } from './breaker-rows.js';
import { LIVE } from './vm-rows.js';

interface PoolRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly size: number;
  readonly max_age_ms: number;
  readonly update_policy: 'recreate' | 'keep';
  readonly template_id: string;
  readonly spec_hash: string;
  readonly provider: string | null;
}

interface MemberRow {
  readonly id: string;
  readonly state: string;
  readonly desired_state: string;
  readonly template_hash: string | null;
}

/** At most so many new members per pool and turn: a template that cannot start must not fill the table. */
const BATCH = 16;

/** Singleton jobs, warm pools and expired workspaces in Postgres. */
export class PostgresJobs implements JobStore, PoolStore, WorkspaceStore {
  constructor(
    private readonly database: Database,
    private readonly replica: string,
    private readonly defaultProvider: string,
  ) {}

  async acquire(name: string, ttlMs: number): Promise<number | undefined> {
    const [row] = await this.database.query<{ token: number }>(
      'job_acquire',
      `INSERT INTO scheduler_jobs AS j (name, holder, token, until) VALUES ($1, $2, nextval('scheduler_job_token_seq'), clock_timestamp() + $3 * interval '1 millisecond')
       ON CONFLICT (name) DO UPDATE SET holder = $2, until = clock_timestamp() + $3 * interval '1 millisecond',
         token = CASE WHEN j.holder = $2 AND j.until > clock_timestamp() THEN j.token ELSE nextval('scheduler_job_token_seq') END
        WHERE j.holder = $2 OR j.until < clock_timestamp() RETURNING token`,
      [name, this.replica, ttlMs],
    );
    return row?.token;
  }

  async release(name: string, token: number): Promise<void> {
    await this.database.query('job_release', `UPDATE scheduler_jobs SET until = clock_timestamp() - interval '1 millisecond' WHERE name = $1 AND token = $2`, [
      name,
      token,
    ]);
  }

  fill(token: number, newVmId: () => string): ReturnType<PoolStore['fill']> {
    return this.database.transaction(async (tx) => {
      const touched: { tenant: string; vmId: string }[] = [];
      let ready = 0;
      let desired = 0;
      const [held] = await tx.query('pools_held', 'SELECT 1 FROM scheduler_jobs WHERE name = $1 AND token = $2 FOR UPDATE', [POOLS_JOB, token]);
      if (held === undefined) return { touched, ready, desired };
      for (const vm of await this.retireOrphans(tx)) touched.push(vm);
      const pools = await tx.query<PoolRow>(
        'pools',
        `SELECT p.id, p.tenant_id, p.size, p.max_age_ms, p.update_policy, t.id AS template_id, t.spec_hash, t.provider
           FROM warm_pools p JOIN vm_templates t ON t.name = p.template AND t.is_current ORDER BY p.id`,
      );
      for (const pool of pools) {
        const result = await this.fillOne(tx, pool, newVmId);
        ready += result.ready;
        desired += pool.size;
        for (const vmId of result.touched) touched.push({ tenant: pool.tenant_id, vmId });
      }
      return { touched, ready, desired };
    });
  }

  /** Members of pools that are no more. */
  private async retireOrphans(tx: Tx): Promise<{ tenant: string; vmId: string }[]> {
    const rows = await tx.query<{ id: string; tenant_id: string }>(
      'pool_orphans',
      `UPDATE vms SET desired_state = 'terminated', next_action_at = clock_timestamp(), row_version = row_version + 1
        WHERE pool_id IS NOT NULL AND ${LIVE} AND desired_state <> 'terminated' AND NOT EXISTS (SELECT 1 FROM warm_pools p WHERE p.id = vms.pool_id)
        RETURNING id, tenant_id`,
    );
    return rows.map(({ id, tenant_id }) => ({ tenant: tenant_id, vmId: id }));
  }

  private async fillOne(tx: Tx, pool: PoolRow, newVmId: () => string): Promise<{ readonly ready: number; readonly touched: string[] }> {
    const members = await tx.query<MemberRow>(
      'pool_members',
      `SELECT id, state, desired_state, template_hash FROM vms WHERE pool_id = $1 AND ${LIVE} AND desired_state = 'running' ORDER BY (state = 'warm') DESC, created_at FOR UPDATE`,
      [pool.id],
    );
    const outdated = pool.update_policy === 'keep' ? [] : members.filter((member) => member.template_hash !== pool.spec_hash);
    const good = members.filter((member) => !outdated.includes(member));
    const touched: string[] = [];
    for (const { id } of [...outdated, ...good.slice(pool.size)]) {
      await tx.query(
        'pool_retire',
        `UPDATE vms SET desired_state = 'terminated', next_action_at = clock_timestamp(), row_version = row_version + 1 WHERE id = $1`,
        [id],
      );
      touched.push(id);
    }
    const missing = Math.min(BATCH, pool.size - good.length);
    const [failed] = await tx.query(
      'pool_cooling',
      `SELECT 1 FROM vms WHERE pool_id = $1 AND state = 'failed' AND state_since > clock_timestamp() - $2::float8 * interval '1 millisecond' LIMIT 1`,
      [pool.id, COOLDOWN_MS],
    );
    const provider = pool.provider ?? this.defaultProvider;
    if (missing > 0 && failed === undefined && (await askToStart(tx, provider, pool.spec_hash)) === undefined) {
      for (let count = 0; count < missing; count += 1) touched.push(await this.addMember(tx, pool, provider, newVmId()));
    }
    return { ready: good.filter(({ state }) => state === 'warm').length, touched };
  }

  private async addMember(tx: Tx, pool: PoolRow, provider: string, id: string): Promise<string> {
    await tx.query(
      'pool_add',
      `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at, template_id, template_hash, provider, pool_id, max_life_ms)
       VALUES ($1, $2, $3, 'pool:' || $4, 'requested', clock_timestamp(), $5, $6, $7, $4, $8)`,
      [id, pool.tenant_id, WARM_USER, pool.id, pool.template_id, pool.spec_hash, provider, pool.max_age_ms],
    );
    return id;
  }

  async expired(provider: string, hostId: string, afterMs: number, limit: number): Promise<readonly string[]> {
    const rows = await this.database.query<{ id: string }>(
      'workspaces_expired',
      `SELECT v.id FROM vms v WHERE v.state IN ('failed', 'terminated') AND v.workspace_removed_at IS NULL AND v.provider = $1 AND v.host_id = $2
          AND (v.erase_requested_at IS NOT NULL OR v.state_since < clock_timestamp() - $3::float8 * interval '1 millisecond')
          AND NOT EXISTS (SELECT 1 FROM vm_instances i WHERE i.vm_id = v.id AND i.phase <> 'gone') ORDER BY v.state_since LIMIT $4`,
      [provider, hostId, afterMs, limit],
    );
    return rows.map(({ id }) => id);
  }

  async unrecorded(vmIds: readonly string[]): Promise<readonly string[]> {
    const rows = await this.database.query<{ id: string }>(
      'workspaces_unrecorded',
      'SELECT t.id FROM unnest($1::text[]) AS t (id) WHERE NOT EXISTS (SELECT 1 FROM vms v WHERE v.id = t.id)',
      [vmIds],
    );
    return rows.map(({ id }) => id);
  }

  async removed(vmId: string): Promise<void> {
    await forgetRest(this.database, vmId);
    await this.database.query('workspace_removed', 'UPDATE vms SET workspace_removed_at = clock_timestamp() WHERE id = $1', [vmId]);
  }
}
