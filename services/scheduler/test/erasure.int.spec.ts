import path from 'node:path';
import { createPool, type OutboxMessage, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { PersonEraser } from '../src/adapters/postgres/person-eraser.js';
import { PostgresJobs } from '../src/adapters/postgres/postgres-jobs.js';
import { prismaFolder } from './support/mesh.js';

describe('forgetting a person', () => {
  let database: TestDatabase;
  let pool: PostgresDatabase;
  let statements = 0;
  const rows = <R>(sql: string, parameters: unknown[] = []): Promise<R[]> => {
    statements += 1;
    return pool.query<R>(`spec_${statements}`, sql, parameters);
  };
  const count = async (table: string): Promise<number> => Number((await rows<{ n: string }>(`SELECT count(*)::text AS n FROM ${table}`))[0]?.n);

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'spec', max: 4 });
  }, 180_000);
  afterAll(async () => {
    await pool.close();
    await database.drop();
  });

  async function vmOf(vmId: string, subject: string, scope: string, state = 'ready', tenant = 'acme'): Promise<void> {
    await rows(
      `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, observed_generation, next_action_at, provider, host_id)
       VALUES ($1, $2, $3, $4, $5, 1, now() + interval '1 hour', 'local', 'h')`,
      [vmId, tenant, subject, scope, state],
    );
  }

  /** A session in a VM with everything that is kept of one. */
  async function sessionOf(sessionId: string, owner: string, vmId: string, tenant = 'acme'): Promise<void> {
    await rows(`INSERT INTO vm_sessions (tenant_id, session_id, vm_id, session_key, owner, agent_id, epoch) VALUES ($1, $2, $3, 'k', $4, 'main', 1)`, [
      tenant,
      sessionId,
      vmId,
      owner,
    ]);
    await rows(
      `INSERT INTO vm_runs (tenant_id, session_id, run_id, state, session_key, owner, agent_id, command, vm_id) VALUES ($1, $2, 'r', 'ended', 'k', $3, 'main', '{"message":"private"}', $4)`,
      [tenant, sessionId, owner, vmId],
    );
    await rows(`INSERT INTO session_snapshots (tenant_id, session_id, version, vm_id, epoch, body) VALUES ($1, $2, 1, $3, 1, '"private"')`, [
      tenant,
      sessionId,
      vmId,
    ]);
    for (const acked of [true, false]) {
      await rows(
        `INSERT INTO vm_outbox (vm_id, epoch, seq, type, session_id, run_id, body, acked_at)
         SELECT $1, 1, coalesce(max(seq), 0) + 1, 'user_message', $2, 'r', '{"type":"user_message","data":{"message":"private"}}', $3 FROM vm_outbox WHERE vm_id = $1`,
        [vmId, sessionId, acked ? new Date() : null],
      );
    }
  }

  it('ends their VMs of every scope, removes what is kept of them and nothing of others, and gives one receipt however often it is asked', async () => {
    await vmOf('vm-user', 'ada', 'user');
    await vmOf('vm-session', 'ada', 'session:s9', 'paused');
    await vmOf('vm-over', 'ada', 'agent:main', 'terminated');
    await vmOf('vm-bob', 'bob', 'user');
    await vmOf('vm-shared', '*', 'shared');
    await vmOf('vm-elsewhere', 'ada', 'user', 'ready', 'other');
    await sessionOf('s1', 'ada', 'vm-user');
    await sessionOf('s2', 'bob', 'vm-bob');
    await sessionOf('s3', 'ada', 'vm-shared');
    await sessionOf('s4', 'bob', 'vm-shared');
    await sessionOf('s1', 'ada', 'vm-elsewhere', 'other');
    await vmOf('vm-long-over', 'ada', 'agent:ops', 'terminated');
    await rows(`UPDATE vms SET workspace_removed_at = now() WHERE id = 'vm-long-over'`);
    await rows(
      `INSERT INTO vm_activity (vm_id, kind, source) VALUES ('vm-user', 'run', 'run r of k'), ('vm-shared', 'ensure', 'user ada'), ('vm-bob', 'drain', 'operator ada'),
        ('vm-shared', 'ensure', 'user bob'), ('vm-shared', 'run', 'run ada'' of k'), ('vm-elsewhere', 'ensure', 'user ada')`,
    );
    await rows(`INSERT INTO vm_dead_letters (vm_id, epoch, seq, code, sha256, size) VALUES ('vm-user', 1, 1, 'X', 'h', 1), ('vm-bob', 1, 1, 'X', 'h', 1)`);

    const woken: string[] = [];
    const receipt = (_tenant: string, erasureId: string, _user: string, counts: object): OutboxMessage => ({
      subject: 'plexus.evt.acme.user.erased.v1.e1',
      msgId: `erased:scheduler:${erasureId}`,
      headers: {},
      body: Buffer.from(JSON.stringify(counts)),
    });
    const eraser = new PersonEraser(pool, receipt, (_tenant, vmIds) => woken.push(...vmIds));
    expect(await eraser.erase('acme', 'ada', 'e1')).toMatchObject({
      vms: 4,
      activity: 3,
      snapshots: 2,
      deadLetters: 1,
      frames: 2,
      blankedFrames: 2,
      runs: 2,
      sessions: 2,
    });
    expect(await eraser.erase('acme', 'ada', 'e1')).toMatchObject({ snapshots: 0, deadLetters: 0, frames: 0, blankedFrames: 0, runs: 0, sessions: 0 });
    expect(await count('outbox')).toBe(1);
    expect(woken).toContain('vm-user');

    const wanted = await rows<{ id: string; desired_state: string }>('SELECT id, desired_state FROM vms ORDER BY id');
    expect(wanted.filter(({ desired_state }) => desired_state === 'terminated').map(({ id }) => id)).toEqual(['vm-session', 'vm-user']);
    const kept = await rows<{ session_id: string; tenant_id: string }>('SELECT tenant_id, session_id FROM session_snapshots ORDER BY 1, 2');
    expect(kept.map(({ tenant_id, session_id }) => `${tenant_id}/${session_id}`)).toEqual(['acme/s2', 'acme/s4', 'other/s1']);
    expect(await count('vm_dead_letters')).toBe(1);
    expect((await rows<{ source: string }>('SELECT source FROM vm_activity ORDER BY source')).map(({ source }) => source)).toEqual([
      "run ada' of k",
      'user ada',
      'user bob',
    ]);
    // A VM that is over says no more whose it was.
    expect(await rows(`SELECT subject_id FROM vms WHERE id = 'vm-long-over'`)).toEqual([{ subject_id: '_erased' }]);
    // What is on its way keeps its number and says nothing.
    const frames = await rows<{ seq: number; type: string; body: object }>(`SELECT seq, type, body FROM vm_outbox WHERE vm_id = 'vm-user'`);
    const body = { type: 'cancel', session_id: 's1', run_id: 'r', reason: 'erased', data: { reason: 'erased', run_id: 'r' } };
    expect(frames).toEqual([{ seq: 2, type: 'cancel', body }]);
  });

  it('takes the workspace without waiting for the retention, and with it whatever was written while the VM ended', async () => {
    await rows(`UPDATE vms SET state = 'terminated', state_since = clock_timestamp() WHERE id IN ('vm-user', 'vm-bob')`);
    await rows(`INSERT INTO session_snapshots (tenant_id, session_id, version, vm_id, epoch, body) VALUES ('acme', 's1', 2, 'vm-user', 1, '"late"')`);
    const jobs = new PostgresJobs(pool, 'spec', 'local');
    expect([...(await jobs.expired('local', 'h', 3_600_000, 10))].sort()).toEqual(['vm-over', 'vm-user']);
    await jobs.removed('vm-user');
    await jobs.removed('vm-bob');
    expect(await count(`session_snapshots WHERE vm_id = 'vm-user'`)).toBe(0);
    expect(await count(`vm_outbox WHERE vm_id = 'vm-user'`)).toBe(0);
    expect(await count(`vm_outbox WHERE vm_id = 'vm-bob'`)).toBe(2);
    const named = await rows<{ id: string; subject_id: string }>(`SELECT id, subject_id FROM vms WHERE id IN ('vm-user', 'vm-bob') ORDER BY id`);
    expect(named.map(({ subject_id }) => subject_id)).toEqual(['bob', '_erased']);
  });
});
