import path from 'node:path';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { PostgresSecrets } from '../src/adapters/postgres/postgres-secrets.js';
import { SecretBox } from '../src/adapters/secret-box.js';
import { prismaFolder } from './support/mesh.js';

const [OLD, NEW, FOREIGN] = ['old', 'new', 'foreign'].map((name) => `master-key-${name}-8f3a6c1b9d2e4750`) as [string, string, string];

describe('provider keys in Postgres', () => {
  let database: TestDatabase;
  let pool: PostgresDatabase;

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'spec', max: 2 });
  });
  afterAll(async () => {
    await pool.close();
    await database.drop();
  });

  it('are sealed anew with a new master key, except those that nobody can read: they are counted and stay as they are', async () => {
    await new PostgresSecrets(pool, new SecretBox(FOREIGN)).put('acme', 'ada', 'lost', 'sk-lost');
    await new PostgresSecrets(pool, new SecretBox(OLD)).put('acme', 'ada', 'model', 'sk-ada');
    const secrets = new PostgresSecrets(pool, new SecretBox(NEW, OLD));
    expect(await secrets.reseal()).toEqual({ resealed: 1, unreadable: 1 });
    expect(await new PostgresSecrets(pool, new SecretBox(NEW)).get('acme', 'ada', 'model')).toBe('sk-ada');
    expect(await new PostgresSecrets(pool, new SecretBox(FOREIGN)).get('acme', 'ada', 'lost')).toBe('sk-lost');
  });
});
