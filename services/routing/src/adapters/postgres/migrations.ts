import { type Database, migrationsFolderOf, migrationsProblem } from '@plexus/database';

/** The service's migrations. */
export function migrationsFolder(): string {
  return migrationsFolderOf(import.meta.url);
}

/** A readiness check: true once the database is at the version of this code, else what is wrong. Asks no more once it was true. */
export function migrationsCheck(database: Database): () => Promise<true | string> {
  let upToDate = false;
  return async () => {
    if (upToDate) return true;
    const problem = await migrationsProblem(database, migrationsFolder());
    upToDate = problem === undefined;
    return problem ?? true;
  };
}
