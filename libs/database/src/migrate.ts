import { randomUUID } from 'node:crypto';
import { Deadline, systemClock } from '@plexus/kernel';
import { createDatabase } from './create-database.js';
import type { Database, Tx } from './database.js';
import { errorCodeOf, unavailable } from './database-errors.js';
import { type DatabaseLog, silentLog } from './database-log.js';
import { sqlIdentifier } from './database-url.js';
import { type MigrationFile, readMigrations } from './migration-files.js';
import { compareMigrations, type MigrationRecord, type MigrationsState } from './migration-plan.js';

/** The lock that `prisma migrate deploy` takes as well: the two never migrate one database at the same time. */
const PRISMA_MIGRATE_LOCK = '72707369';
const LOCK_POLL_MS = 200;
const UNDEFINED_TABLE = '42P01';
const INVALID_SCHEMA = '3F000';

export interface MigrateOptions {
  /** Where to migrate; or give an open `database`. */
  readonly url?: string;
  readonly database?: Database;
  /** The service's schema; created when missing. */
  readonly schema: string;
  /** `prisma/migrations` of the service. */
  readonly directory: string;
  /** How long to wait while somebody else migrates. Default 60,000 ms. */
  readonly lockTimeoutMs?: number;
  readonly log?: DatabaseLog;
}

/** A migration cannot be applied; the message says which and what to do. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Applies what is pending, oldest first, each in one transaction together with its row in `_prisma_migrations`, and returns the names.
 * Safe to call from many processes at once. Rejects with {@link MigrationError} for a changed or half-done migration or a failing statement
 * (then that migration has left nothing), with `UNAVAILABLE` when the server cannot be reached or another migration does not finish in time.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  if (options.database) return migrateDatabase(options.database, options);
  if (options.url === undefined) throw new TypeError('migrate needs a url or a database');
  const database = await createDatabase(options.url, { schema: options.schema, applicationName: 'plexus-migrate', max: 2 });
  try {
    return await migrateDatabase(database, options);
  } finally {
    await database.close();
  }
}

/** Compares `directory` with what `database` has applied. A database that was never migrated has everything pending. */
export async function migrationsState(database: Database, directory: string, schema = database.schema): Promise<MigrationsState> {
  return compareMigrations(readMigrations(directory), await readRecords(database, schema));
}

async function migrateDatabase(database: Database, options: MigrateOptions): Promise<string[]> {
  const files = readMigrations(options.directory);
  const schema = sqlIdentifier(options.schema);
  if (compareMigrations(files, await readRecords(database, schema)).upToDate) return [];
  return withMigrationLock(database, options.lockTimeoutMs ?? 60_000, async () => {
    await database.script(trackingTableDdl(schema));
    const state = compareMigrations(files, await readRecords(database, schema));
    refuseBrokenState(state, schema);
    const pending = files.filter((file) => state.pending.includes(file.name));
    for (const file of pending) {
      await applyMigration(database, schema, file);
      (options.log ?? silentLog).info({ schema, migration: file.name }, 'migration applied');
    }
    return pending.map((file) => file.name);
  });
}

function refuseBrokenState(state: MigrationsState, schema: string): void {
  if (state.failed.length > 0) {
    throw new MigrationError(`schema ${schema}: ${state.failed.join(', ')} was begun and not finished; repair it and run "prisma migrate resolve"`);
  }
  if (state.changed.length > 0) {
    throw new MigrationError(`schema ${schema}: ${state.changed.join(', ')} was changed after it was applied; restore the file and write a new migration`);
  }
}

async function applyMigration(database: Database, schema: string, file: MigrationFile): Promise<void> {
  const startedAt = new Date();
  try {
    await database.transaction(async (tx) => {
      await tx.script(`SET LOCAL statement_timeout = 0; SET LOCAL search_path TO ${schema}${schema === 'public' ? '' : ', public'}`);
      await tx.script(file.sql);
      await recordMigration(tx, schema, file, startedAt);
    });
  } catch (error) {
    const state = errorCodeOf(error);
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(`migration ${file.name} of schema ${schema} failed${state ? ` (${state})` : ''} and was rolled back: ${reason}`, { cause: error });
  }
}

async function recordMigration(tx: Tx, schema: string, file: MigrationFile, startedAt: Date): Promise<void> {
  await tx.query(
    `plexus_record_migration_${schema}`.slice(0, 63),
    `INSERT INTO ${schema}._prisma_migrations (id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count)
     VALUES ($1, $2, clock_timestamp(), $3, NULL, NULL, $4, 1)`,
    [randomUUID(), file.checksum, file.name, startedAt],
  );
}

async function readRecords(database: Database, schema: string): Promise<MigrationRecord[]> {
  const table = `${sqlIdentifier(schema)}._prisma_migrations`;
  try {
    return await database.query<MigrationRecord>(
      `plexus_read_migrations_${schema}`.slice(0, 63),
      `SELECT migration_name, checksum, finished_at, rolled_back_at FROM ${table} ORDER BY started_at`,
    );
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === UNDEFINED_TABLE || code === INVALID_SCHEMA) return [];
    throw error;
  }
}

/** Column for column what Prisma creates. */
function trackingTableDdl(schema: string): string {
  return `CREATE SCHEMA IF NOT EXISTS ${schema};
CREATE TABLE IF NOT EXISTS ${schema}._prisma_migrations (
  id                  VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum            VARCHAR(64) NOT NULL,
  finished_at         TIMESTAMPTZ,
  migration_name      VARCHAR(255) NOT NULL,
  logs                TEXT,
  rolled_back_at      TIMESTAMPTZ,
  started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
);`;
}

/** PGlite has one process and runs one statement at a time; the lock is taken there too and simply always free. */
async function withMigrationLock<T>(database: Database, timeoutMs: number, fn: () => Promise<T>): Promise<T> {
  const session = await database.openSession();
  try {
    const deadline = Deadline.in(timeoutMs, systemClock);
    const tryLock = () => session.query<{ locked: boolean }>('plexus_migrate_lock', `SELECT pg_try_advisory_lock(${PRISMA_MIGRATE_LOCK}) AS locked`);
    while ((await tryLock())[0]?.locked !== true) {
      if (deadline.expired) throw unavailable('Another migration of this database has not finished in time; try again.');
      await systemClock.sleep(LOCK_POLL_MS);
    }
    const result = await fn();
    await session.query('plexus_migrate_unlock', `SELECT pg_advisory_unlock(${PRISMA_MIGRATE_LOCK})`);
    return result;
  } finally {
    await session.close();
  }
}
