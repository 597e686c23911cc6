import path from 'node:path';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { PostgresConfigUpdates } from '../src/adapters/postgres/postgres-config-updates.js';
import { prismaFolder } from './support/mesh.js';

describe('changed settings on their way to running VMs', () => {
  let database: TestDatabase;
  let pool: PostgresDatabase;
  let statements = 0;
  const rows = <R>(sql: string, parameters: unknown[] = []): Promise<R[]> => {
    statements += 1;
    return pool.query<R>(`spec_${statements}`, sql, parameters);
  };
  const vmWith = async (vmId: string, phase: string, sessions: [id: string, agentId: string][], tenant = 'acme'): Promise<void> => {
    await rows(
      `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, observed_generation, next_action_at) VALUES ($1, $2, $1, 'user', 'ready', 1, now())`,
      [vmId, tenant],
    );
    const [instance] = await rows<{ epoch: number }>(
      `INSERT INTO vm_instances (vm_id, provider, provider_name, phase, conn_gen, attached_at) VALUES ($1, 'local', $1, $2, 1, now()) RETURNING epoch`,
      [vmId, phase],
    );
    for (const [sessionId, agentId] of sessions) {
      await rows(`INSERT INTO vm_sessions (tenant_id, session_id, vm_id, session_key, owner, agent_id, epoch) VALUES ($1, $2, $3, 'main', 'ada', $4, $5)`, [
        tenant,
        sessionId,
        vmId,
        agentId,
        instance?.epoch,
      ]);
    }
  };

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'spec', max: 4 });
  }, 180_000);
  afterAll(async () => {
    await pool.close();
    await database.drop();
  });

  it('finding 12: are queued once for each session of the agent in a running incarnation, by however many replicas, and again for a later revision', async () => {
    await vmWith('vm-a', 'running', [
      ['s1', 'main'],
      ['s2', 'ops'],
      ['s3', 'main'],
    ]);
    await vmWith('vm-b', 'gone', [['s4', 'main']]);
    await vmWith('vm-c', 'running', [['s5', 'main']], 'other');
    const store = new PostgresConfigUpdates(pool);
    const updates = [{ agentId: 'main', settings: { model: 'm2', system_prompt: null } }];
    const reached = await Promise.all(Array.from({ length: 3 }, () => store.queue('acme', 7, updates)));
    expect(reached.flat()).toEqual(['vm-a']);
    const frames = await rows<{ seq: number; session_id: string; body: unknown }>(
      `SELECT seq, session_id, body FROM vm_outbox WHERE type = 'config_update' ORDER BY seq`,
    );
    expect(frames.map(({ seq, session_id }) => [seq, session_id])).toEqual([
      [1, 's1'],
      [2, 's3'],
    ]);
    expect(frames[0]?.body).toEqual({
      type: 'config_update',
      config_revision: 7,
      data: { session_id: 's1', agent_config: { model: 'm2', system_prompt: null } },
    });
    expect(await store.queueForAll('acme', ['skill_index'])).toEqual(['vm-a']);
    const refreshed = await rows<{ body: unknown }>(`SELECT body FROM vm_outbox WHERE seq > 2 ORDER BY seq`);
    expect(refreshed.map(({ body }) => body)).toEqual(
      [
        ['s1', 'main'],
        ['s2', 'ops'],
        ['s3', 'main'],
      ].map(([session_id, agent_id]) => ({ type: 'config_update', refresh: ['skill_index'], agent_id, data: { session_id } })),
    );
    expect(await store.queue('acme', 6, updates)).toEqual([]);
    expect(await store.queue('acme', 8, updates)).toEqual(['vm-a']);
  });
});
