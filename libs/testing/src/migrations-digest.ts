import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Changes whenever a migration in the folder changes: names what was prepared from them. */
export function migrationsDigest(migrationsDir: string, schema: string): string {
  const migrations = readdirSync(migrationsDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => [name, readFileSync(path.join(migrationsDir, name, 'migration.sql'), 'utf8')])
    .sort();
  return createHash('sha256')
    .update(JSON.stringify([schema, migrations]))
    .digest('hex')
    .slice(0, 16);
}
