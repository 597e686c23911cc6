import { z } from 'zod';

const flag = z
  .enum(['0', '1'])
  .optional()
  .transform((value) => (value === undefined ? undefined : value === '1'));

/** Settings of memory, beside those that every service has. */
export const memoryConfig = z.object({
  MEMORY_DATABASE_URL: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|pglite:.)/, { error: 'must be a postgresql:// URL, or pglite:<directory> for PGlite inside this process' })
    .describe('Where memories are kept.'),
  MEMORY_DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be a lower-case SQL identifier' })
    .default('memory')
    .describe('Postgres schema of memory.'),
  MEMORY_DATABASE_CONNECTIONS: z.coerce.number().int().min(2).max(100).default(8).describe('Most connections of one replica; PGlite has one.'),
  MEMORY_MIGRATE: flag.describe(
    '1: apply missing migrations at the start, under a lock; 0: refuse to start without them. Default: 1 with PGlite and in an embedded mesh, else 0.',
  ),
  PLEXUS_EMBEDDED: flag.describe('1: part of a mesh that one command started and that nobody administrates.'),
});
export type MemoryConfig = z.output<typeof memoryConfig>;

/** Without a setting: PGlite is migrated by its only opener, an embedded mesh by itself, any other database by whoever administrates it. */
export function mayMigrate(config: MemoryConfig): boolean {
  return config.MEMORY_MIGRATE ?? (config.PLEXUS_EMBEDDED === true || config.MEMORY_DATABASE_URL.startsWith('pglite:'));
}
