import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One folder of `prisma/migrations`. */
export interface MigrationFile {
  /** Folder name, `<timestamp>_<what>`; migrations apply in the order of their names. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file in hex, as Prisma stores it. */
  readonly checksum: string;
  /** Checksums that count as equal: the same text with the other line ending. */
  readonly accepted: readonly string[];
}

/** Reads every `<directory>/<name>/migration.sql`, oldest first. Throws when a migration folder has none. */
export function readMigrations(directory: string): MigrationFile[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const sql = readFileSync(path.join(directory, name, 'migration.sql'), 'utf8');
      const unix = sql.replaceAll('\r\n', '\n');
      return { name, sql, checksum: sha256(sql), accepted: [sha256(unix), sha256(unix.replaceAll('\n', '\r\n'))] };
    });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
