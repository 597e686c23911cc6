import {
  createDatabase,
  type Database,
  type DatabaseLog,
  errorCodeOf,
  migrate,
  migrationsFolderOf,
  requireMigrations,
  whileDatabaseStarts,
} from '@plexus/database';
import { ConfigurationError } from '@plexus/kernel';
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

/**
 * Opens the database and makes sure that it is at the version this code was written for and that row security can be entered. Waits a
 * while for a database that is still starting; throws ConfigurationError when a person has to do something.
 */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const { schema, log } = options;
  const database = await createDatabase(options.url, { schema, applicationName: options.applicationName, max: options.connections, pipelined: true, log });
  try {
    const directory = migrationsFolderOf(import.meta.url);
    if (options.migrate) await whileDatabaseStarts(() => migrate({ database, schema, directory, log }));
    else await requireMigrations(database, directory);
    await requireRole(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function requireRole(database: Database): Promise<void> {
  try {
    await inTenant(database, '_', (tx) => tx.query('memory_try_role', 'SELECT 1 AS one FROM memory LIMIT 1'), { readOnly: true });
  } catch (error) {
    if (!ROLE_PROBLEMS.has(errorCodeOf(error) ?? '')) throw error;
    throw new ConfigurationError('the database user cannot become plexus_app; an administrator must run: GRANT plexus_app TO <user>', { cause: error });
  }
}
