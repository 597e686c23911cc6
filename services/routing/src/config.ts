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
  ROUTING_PAIRING_TTL_MS: whole(60_000, 7 * 86_400_000)
    .default(3_600_000)
    .describe('How long the code of a stranger is valid.'),
  ROUTING_PAIRING_OPEN: whole(1, 1_000).default(20).describe('Strangers of one channel account that may wait for approval at once.'),
  ROUTING_BREAKER_THRESHOLD: whole(1, 100).default(5).describe('Failures in a row after which a channel account is left alone.'),
  ROUTING_BREAKER_RESET_MS: whole(100, 3_600_000).default(30_000).describe('How long it is left alone before one message is tried.'),
  ROUTING_SEND_TIMEOUT_MS: whole(500, 600_000).default(45_000).describe('How long the outcome of one attempt to send is waited for.'),
  ROUTING_SEND_INTERVAL_MS: whole(50, 60_000).default(1_000).describe('How often sends that are due are looked for when nothing hurries.'),
  ROUTING_ATTACHMENT_DAYS: whole(1, 3_650).default(90).describe('How long files that messages brought along are kept, unless the transcripts go earlier.'),
  ROUTING_ATTACHMENT_MIB_PER_USER: whole(10, 102_400).default(256).describe('What the files of one user may weigh together, in MiB; more is refused.'),
  ROUTING_PRUNE_INTERVAL_MS: whole(1_000, 7 * 86_400_000)
    .default(6 * 3_600_000)
    .describe('How often what is older than its retention is removed.'),
});
