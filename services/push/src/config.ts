import { z } from 'zod';

/** Settings of push, beside those that every service has. */
export const pushConfig = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { error: 'must be a postgresql:// URL' })
    .describe('Postgres in which push keeps its schema.'),
  PUSH_DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be a lower-case SQL identifier' })
    .default('push')
    .describe('Postgres schema of push.'),
  PUSH_DATABASE_CONNECTIONS: z.coerce.number().int().min(2).max(100).default(8).describe('Most connections of one replica.'),
});
export type PushConfig = z.output<typeof pushConfig>;
