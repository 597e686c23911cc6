import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Database, migrationsState } from '@plexus/database';
import { ConfigurationError, isRetryableError, retry } from '@plexus/kernel';

/** `prisma/migrations` of this service, found from the source as well as from the compiled file. */
export function migrationsFolder(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
  }
  throw new ConfigurationError('the folder prisma/migrations is missing beside this service');
}

/** Resolves once the schema is what this code was written for. Waits for a database that is still starting; ConfigurationError otherwise. */
export async function requireMigrations(database: Database): Promise<void> {
  const folder = migrationsFolder();
  const state = await retry(() => migrationsState(database, folder), { attempts: 60, baseMs: 250, capMs: 1_000, isRetryable: isRetryableError });
  if (state.upToDate) return;
  const wrong = [...state.pending, ...state.changed, ...state.failed].join(', ');
  throw new ConfigurationError(`schema ${database.schema} is not at the version of this service (${wrong}); run "plexus db migrate"`);
}
