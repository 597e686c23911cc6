import { openAsBlob } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PgliteDatabase } from '@plexus/database/pglite';
import { migrationsDigest } from './migrations-digest.js';
import { sharedInProcess } from './shared-in-process.js';
import { throwAwayFolder } from './throw-away-folder.js';

/**
 * A fresh in-memory PGlite (with pgvector) in which these migrations are applied in `schema`. The first one in a test process takes
 * seconds, further ones load its dump in under one. Close it, or Jest waits for it.
 */
export async function openTestPglite(migrationsDir?: string, schema = 'public'): Promise<PgliteDatabase> {
  const { openPglite } = await import('@plexus/database/pglite');
  const digest = migrationsDir === undefined ? 'empty' : migrationsDigest(migrationsDir, schema);
  const { file } = await sharedInProcess(`pglite-${schema}-${digest}`, async () => {
    const database = await openPglite('memory://', { schema });
    try {
      if (migrationsDir !== undefined) {
        const { migrate } = await import('@plexus/database');
        await migrate({ database, schema, directory: migrationsDir });
      }
      const dumped = path.join(throwAwayFolder('pglite').path, 'data.tar');
      await writeFile(dumped, Buffer.from(await (await database.dump()).arrayBuffer()));
      return { file: dumped };
    } finally {
      await database.close();
    }
  });
  return openPglite('memory://', { schema, loadDataDir: await openAsBlob(file) });
}
