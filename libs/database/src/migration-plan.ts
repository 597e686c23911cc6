import type { MigrationFile } from './migration-files.js';

/** One row of `_prisma_migrations`. */
export interface MigrationRecord {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
  readonly rolled_back_at: Date | null;
}

export interface MigrationsState {
  /** Names in the folder, oldest first. */
  readonly expected: readonly string[];
  /** Names that the database has finished. */
  readonly applied: readonly string[];
  /** In the folder, not in the database. */
  readonly pending: readonly string[];
  /** Applied from a text that has changed since. */
  readonly changed: readonly string[];
  /** Begun by another tool and neither finished nor marked as rolled back. */
  readonly failed: readonly string[];
  /** In the database only: a newer version of the service has migrated already. Not an error, so that versions can overlap. */
  readonly unknown: readonly string[];
  /** True when everything in the folder is applied unchanged and nothing is left half done. */
  readonly upToDate: boolean;
}

/** Compares folder and database. Pure. */
export function compareMigrations(files: readonly MigrationFile[], records: readonly MigrationRecord[]): MigrationsState {
  const open = records.filter((record) => record.rolled_back_at === null);
  const finished = new Map(open.filter((record) => record.finished_at !== null).map((record) => [record.migration_name, record.checksum]));
  const known = new Set(files.map((file) => file.name));
  const pending = files.filter((file) => !finished.has(file.name)).map((file) => file.name);
  const changed = files.filter((file) => !matches(file, finished.get(file.name))).map((file) => file.name);
  const failed = open.filter((record) => record.finished_at === null).map((record) => record.migration_name);
  return {
    expected: files.map((file) => file.name),
    applied: [...finished.keys()],
    pending,
    changed,
    failed,
    unknown: [...finished.keys()].filter((name) => !known.has(name)),
    upToDate: pending.length === 0 && changed.length === 0 && failed.length === 0,
  };
}

function matches(file: MigrationFile, recorded: string | undefined): boolean {
  return recorded === undefined || recorded === file.checksum || file.accepted.includes(recorded);
}
