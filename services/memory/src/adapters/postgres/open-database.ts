import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDatabase, type Database, type DatabaseLog, errorCodeOf, migrate, migrationsState } from '@plexus/database';
import { ConfigurationError, PlexusError, retry } from '@plexus/kernel';
import { inTenant } from './tenant-transaction.js';

export interface OpenOptions {
  readonly url: string;
  readonly schema: string;
  readonly applicationName: string;
  readonly connections: number;
  /** Apply what is missing; otherwise it is only checked. */
  readonly migrate: boolean;
  readonly log: DatabaseLog;
}

/** SQLSTATEs of "there is no such role" and "you may not become it". */
const ROLE_PROBLEMS = new Set(['22023', '42501', '42704']);

/** The service's migrations, found from the source as well as from the compiled file. */
export function migrationsFolder(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new ConfigurationError('the folder prisma/migrations is missing beside this service');
  }
}

/**
 * Opens the database and makes sure that it is at the version this code was written for and that row security can be entered. Waits a
 * while for a database that is still starting; throws ConfigurationError when a person has to do something.
 */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { schema, log } = options;
  const database = await createDatabase(options.url, { schema, applicationName: options.applicationName, max: options.connections, log });
  try {
    await whileStarting(async () => {
      if (options.migrate) await migrate({ database, schema, directory: migrationsFolder(), log });
      else await requireMigrations(database);
    });
    await requireRole(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function requireMigrations(database: Database): Promise<void> {
  const state = await migrationsState(database, migrationsFolder());
  if (state.upToDate) return;
  const wrong = [...state.pending, ...state.changed, ...state.failed].join(', ');
  throw new ConfigurationError(`schema ${database.schema} is not at the version of this service (${wrong}); run "plexus db migrate" or set MEMORY_MIGRATE=1`);
}

async function requireRole(database: Database): Promise<void> {
  try {
    await inTenant(database, '_', (tx) => tx.query('memory_try_role', 'SELECT 1 AS one FROM memory LIMIT 1'), { readOnly: true });
  } catch (error) {
    if (!ROLE_PROBLEMS.has(errorCodeOf(error) ?? '')) throw error;
    throw new ConfigurationError('the database user cannot become plexus_app; an administrator must run: GRANT plexus_app TO <user>', { cause: error });
  }
}

function whileStarting(work: () => Promise<void>): Promise<void> {
  const isRetryable = (error: unknown) => PlexusError.isPlexusError(error) && error.retryable;
  return retry(work, { attempts: 60, baseMs: 250, capMs: 1_000, isRetryable });
}
