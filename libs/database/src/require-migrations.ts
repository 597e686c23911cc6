import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError, isRetryableError, retry } from '@plexus/kernel';
import type { Database } from './database.js';
import { migrationsState } from './migrate.js';

/**
 * `prisma/migrations` of the service that a module belongs to (`import.meta.url`), found from the source as well as from the compiled
 * file. Throws ConfigurationError when there is none.
 */
export function migrationsFolderOf(moduleUrl: string): string {
  for (let folder = path.dirname(fileURLToPath(moduleUrl)); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new ConfigurationError('the folder prisma/migrations is missing beside this service');
  }
}

/** Undefined when the schema is at the version of this code, else one sentence that says what is wrong and what to run. */
export async function migrationsProblem(database: Database, folder: string): Promise<string | undefined> {
  const state = await migrationsState(database, folder);
  if (state.upToDate) return undefined;
  const wrong = [...state.pending, ...state.changed, ...state.failed].join(', ');
  return `schema ${database.schema} is not at the version of this service (${wrong}); run "plexus db migrate"`;
}

/** Resolves once the schema is what this code was written for. Waits a while for a database that is still starting; ConfigurationError otherwise. */
export async function requireMigrations(database: Database, folder: string): Promise<void> {
  const problem = await whileDatabaseStarts(() => migrationsProblem(database, folder));
  if (problem !== undefined) throw new ConfigurationError(problem);
}

/** Repeats work that fails because the database is not there yet, for up to a minute. */
export function whileDatabaseStarts<T>(work: () => Promise<T>): Promise<T> {
  return retry(work, { attempts: 60, baseMs: 250, capMs: 1_000, isRetryable: isRetryableError });
}
