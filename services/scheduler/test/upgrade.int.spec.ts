import { cpSync } from 'node:fs';
import path from 'node:path';
import { createPool, migrate, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase, type ThrowAwayFolder, throwAwayFolder } from '@plexus/testing';
import { PostgresJobs } from '../src/adapters/postgres/postgres-jobs.js';
import { prismaFolder } from './support/mesh.js';

const FIRST = '20261121000000_init';
const migrations = path.join(prismaFolder, 'migrations');

describe('a database of the first version that is in use', () => {
  let folder: ThrowAwayFolder;
  let database: TestDatabase;
  let pool: PostgresDatabase;

  beforeAll(async () => {
    folder = throwAwayFolder('first-migration');
    for (const name of [FIRST, 'migration_lock.toml']) cpSync(path.join(migrations, name), path.join(folder.path, name), { recursive: true });
    database = await createTestDatabase(folder.path, 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'spec', max: 2 });
  });
  afterAll(async () => {
    await pool.close();
    await database.drop();
    folder.remove();
  });

  it('is migrated with everything in it: each VM stays with the provider that has it, and workspaces of those that are over are found', async () => {
    const vm = (id: string, state: string, hostId: string | null) =>
      pool.query(
        `old_vm_${id}`,
        `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, next_action_at, host_id, state_since)
         VALUES ($1, 'acme', $1, 'user', $2, now(), $3, now() - interval '10 days')`,
        [id, state, hostId],
      );
    const instance = (vmId: string, provider: string, phase: string) =>
      pool.query(`old_${provider}_${vmId}`, `INSERT INTO vm_instances (vm_id, provider, provider_name, phase, host_id) VALUES ($1, $2, $1, $3, 'host-1')`, [
        vmId,
        provider,
        phase,
      ]);
    await vm('running', 'ready', 'host-1');
    await instance('running', 'fake', 'gone');
    await instance('running', 'local', 'running');
    await vm('over', 'terminated', 'host-1');
    await instance('over', 'local', 'gone');
    await vm('forgotten', 'failed', 'host-1');
    await vm('waiting', 'requested', null);

    await migrate({ url: database.url, schema: 'scheduler', directory: migrations });
    expect(await pool.query('upgraded', 'SELECT id, provider FROM vms ORDER BY id')).toEqual([
      { id: 'forgotten', provider: 'local' },
      { id: 'over', provider: 'local' },
      { id: 'running', provider: 'local' },
      { id: 'waiting', provider: null },
    ]);
    const expired = await new PostgresJobs(pool, 'spec', 'kubernetes').expired('local', 'host-1', 1_000, 10);
    expect([...expired].sort()).toEqual(['forgotten', 'over']);
  });
});
