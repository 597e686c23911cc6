import { z } from 'zod';

const whole = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

/** Settings of routing, beside those that every service has. */
export const routingConfig = z.object({
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { error: 'must be a postgresql:// URL' })
    .describe('Postgres in which routing keeps its schema.'),
  ROUTING_DATABASE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be a lower-case SQL identifier' })
    .default('routing')
    .describe('Postgres schema of routing.'),
  ROUTING_DATABASE_CONNECTIONS: whole(2, 100).default(8).describe('Most connections of one replica; the outbox relay has one more.'),
  ROUTING_QUEUE_LIMIT: whole(1, 10_000).default(100).describe('Messages that may wait in one session behind its running one.'),
  ROUTING_HISTORY_MESSAGES: whole(0, 200).default(40).describe('Earlier messages handed to the agent with each run.'),
  ROUTING_HISTORY_BYTES: whole(0, 524_288).default(262_144).describe('What they may weigh together, as JSON.'),
  ROUTING_RUN_TIMEOUT_MS: whole(1_000, 3_600_000).default(600_000).describe('Without any event for so long a run ends, unless its caller said otherwise.'),
  ROUTING_SWEEP_INTERVAL_MS: whole(100, 60_000).default(2_000).describe('How often silent runs are looked for.'),
});
