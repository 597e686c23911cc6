import { existsSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_SERVICES } from './mesh-settings.js';
import { repositoryRoot } from './repository.js';

export const DATABASE_NAME = 'plexus';

/** Creates the database of the mesh on an embedded server, unless it exists. */
export async function createMeshDatabase(adminUrl: string): Promise<void> {
  const { default: pg } = await import('pg'); // see prepareBus for why not at the top
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE_NAME]);
    if (rowCount === 0) await client.query(`create database ${DATABASE_NAME}`);
  } finally {
    await client.end();
  }
}

/** Applies the pending migrations of every service that has tables in the shared database. Returns their names as `<service>/<migration>`. */
export async function migrateMeshDatabase(url: string): Promise<string[]> {
  const { migrate } = await import('@plexus/database');
  const applied: string[] = [];
  for (const service of DATABASE_SERVICES) {
    const directory = path.join(repositoryRoot(), 'services', service, 'prisma', 'migrations');
    if (!existsSync(directory)) continue;
    for (const name of await migrate({ url, schema: service, directory })) applied.push(`${service}/${name}`);
  }
  return applied;
}
