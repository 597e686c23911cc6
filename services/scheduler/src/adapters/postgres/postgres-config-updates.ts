import type { PostgresDatabase, Tx } from '@plexus/database';
import type { AgentUpdate, ConfigUpdateStore } from '../../application/config-updates.js';
import type { Refreshed } from '../../application/session-settings.js';
import { queueFrames } from './outbox-frames.js';

/** Sessions that one change reaches; further ones get the settings with their next run. */
const MAX_SESSIONS = 1_000;

interface Row {
  readonly vm_id: string;
  readonly epoch: number;
  readonly session_id: string;
  readonly agent_id: string;
}

/** Rows of `vm_outbox` for changed settings. */
export class PostgresConfigUpdates implements ConfigUpdateStore {
  constructor(private readonly database: PostgresDatabase) {}

  async queue(tenant: string, revision: number, updates: readonly AgentUpdate[]): Promise<string[]> {
    const byAgent = new Map(updates.map((update) => [update.agentId, update]));
    return this.database.transaction(async (tx) =>
      queueEach(tx, await sessionsOf(tx, tenant, revision, [...byAgent.keys()]), ({ session_id, agent_id }) => {
        const { settings = {}, refresh } = byAgent.get(agent_id) ?? {};
        return { config_revision: revision, ...(refresh && { refresh, agent_id }), data: { session_id, agent_config: settings } };
      }),
    );
  }

  async queueForAll(tenant: string, refresh: readonly Refreshed[]): Promise<string[]> {
    return this.database.transaction(async (tx) =>
      queueEach(tx, await sessionsOf(tx, tenant, undefined, []), ({ session_id, agent_id }) => ({ refresh, agent_id, data: { session_id } })),
    );
  }
}

/** One frame for each session, in the outbox of its incarnation. Returns the VMs that take it. */
async function queueEach(tx: Tx, sessions: readonly Row[], bodyOf: (session: Row) => object): Promise<string[]> {
  const vms = new Map<string, Row[]>();
  for (const row of sessions) {
    const key = `${row.vm_id}/${row.epoch}`;
    vms.set(key, [...(vms.get(key) ?? []), row]);
  }
  const reached: string[] = [];
  for (const rows of vms.values()) {
    const [{ vm_id: vmId, epoch }] = rows as [Row];
    const frames = rows.map((row) => ({
      type: 'config_update',
      sessionId: row.session_id,
      runId: null,
      body: { type: 'config_update', ...bodyOf(row) },
    }));
    if ((await queueFrames(tx, vmId, epoch, frames)) !== undefined) reached.push(vmId);
  }
  return reached;
}

/** Sessions of these agents in running incarnations that have not been told; without a revision those of all agents. Replicas take turns: the later one finds the rows of the first. */
async function sessionsOf(tx: Tx, tenant: string, revision: number | undefined, agentIds: readonly string[]): Promise<Row[]> {
  await tx.query('config_update_turn', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`config-update:${tenant}`]);
  return tx.query<Row>(
    'config_update_sessions',
    `SELECT s.vm_id, s.epoch, s.session_id, s.agent_id
       FROM vm_sessions s JOIN vm_instances i ON i.vm_id = s.vm_id AND i.epoch = s.epoch AND i.phase IN ('creating', 'running')
      WHERE s.tenant_id = $1 AND ($3::bigint IS NULL OR s.agent_id = ANY ($2))
        AND NOT EXISTS (SELECT 1 FROM vm_outbox o WHERE o.vm_id = s.vm_id AND o.epoch = s.epoch AND o.type = 'config_update' AND o.session_id = s.session_id
                          AND (o.body ->> 'config_revision')::bigint >= $3::bigint)
      ORDER BY s.vm_id, s.session_id LIMIT ${MAX_SESSIONS}`,
    [tenant, agentIds, revision ?? null],
  );
}
