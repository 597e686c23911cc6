import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Database, migrationsState } from '@plexus/database';
import { ConfigurationError, PlexusError, retry } from '@plexus/kernel';

/** The service's migrations, found from the source as well as from the compiled file. */
export function migrationsFolder(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new ConfigurationError('the folder prisma/migrations is missing beside this service');
  }
}

/**
 * Resolves once the database is at the version this code was written for. Waits a while for a database that is still starting;
 * throws ConfigurationError with the command to run when migrations are missing.
 */
export async function requireMigrations(database: Database): Promise<void> {
  const state = await retry(() => migrationsState(database, migrationsFolder()), {
    attempts: 60,
    baseMs: 250,
    capMs: 1_000,
    isRetryable: (error) => PlexusError.isPlexusError(error) && error.retryable,
  });
  if (!state.upToDate) {
    const wrong = [...state.pending, ...state.changed, ...state.failed].join(', ');
    throw new ConfigurationError(`schema ${database.schema} is not at the version of this service (${wrong}); run "plexus db migrate"`);
  }
}
