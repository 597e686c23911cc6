import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Database, migrationsState } from '@plexus/database';

/** The service's migrations, found from the source as well as from the compiled file. */
export function migrationsFolder(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'prisma', 'migrations');
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder)) throw new Error('the folder prisma/migrations is missing beside this service');
  }
}

/** A readiness check: true once the database is at the version of this code, else what is wrong. Asks no more once it was true. */
export function migrationsCheck(database: Database): () => Promise<true | string> {
  let upToDate = false;
  return async () => {
    if (upToDate) return true;
    const state = await migrationsState(database, migrationsFolder());
    upToDate = state.upToDate;
    if (upToDate) return true;
    return `schema ${database.schema} is not at the version of this service (${[...state.pending, ...state.changed, ...state.failed].join(', ')}); run "plexus db migrate"`;
  };
}
