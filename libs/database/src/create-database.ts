import type { Database, DatabaseOptions } from './database.js';
import { parseDatabaseUrl } from './database-url.js';
import { createPool } from './postgres-database.js';

/** Opens the database that `url` names. PGlite (22 MB of WebAssembly) is loaded only for `pglite:` URLs. */
export async function createDatabase(url: string, options: Omit<DatabaseOptions, 'url'>): Promise<Database> {
  const target = parseDatabaseUrl(url);
  if (target.kind === 'postgres') return createPool({ ...options, url });
  const { openPglite } = await import('./pglite.js');
  return openPglite(target.directory, options);
}
