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
  PUSH_LEASE_MS: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(300_000)
    .default(10_000)
    .describe('Partitions of a replica that died are taken over after this long. Longer on machines that may pause for seconds.'),
  PUSH_RENEW_MS: z.coerce.number().int().min(100).max(60_000).default(3_000).describe('Leases are renewed this often; well below a third of PUSH_LEASE_MS.'),
  PUSH_TIMER_POLL_MS: z.coerce.number().int().min(50).max(60_000).default(1_000).describe('How late a timer may be that another replica has set.'),
  PUSH_PRIVATE_HOSTS: z
    .string()
    .default('')
    .describe('Private hosts that webhooks, mail servers and push services of tenants may have: names and addresses, separated by commas, or * for all.'),
  PUSH_SECRET_FOLDERS: z
    .string()
    .default('')
    .describe('Folders from which {file} references of push.channels may be read, separated by commas. Empty: everywhere but in folders of Plexus itself.'),
  PUSH_INBOX_DAYS: z.coerce.number().int().min(2).max(36_500).default(365).describe('Items of inboxes are kept this long.'),
  PUSH_DECISION_DAYS: z.coerce.number().int().min(2).max(36_500).default(90).describe('Decisions, with their reasons, are kept this long.'),
  PUSH_ATTEMPT_DAYS: z.coerce.number().int().min(2).max(36_500).default(30).describe('Attempts to deliver over channels are kept this long.'),
  PLEXUS_MASTER_KEY: z.string().optional().describe('Opens sealed references of push.channels. Prefer the file.'),
  PLEXUS_MASTER_KEY_FILE: z.string().optional().describe('File with the same; wins over the variable.'),
  PLEXUS_MASTER_KEY_PREVIOUS_FILE: z
    .string()
    .optional()
    .describe('File with another master key whose sealed references are opened as well, while keys change.'),
});
export type PushConfig = z.output<typeof pushConfig>;

/** The variables that references of tenants may name; a snapshot of this process's own. */
export function secretVariables(): Readonly<Record<string, string | undefined>> {
  return { ...process.env };
}

/** Files and folders that hold secrets of Plexus itself. */
export function ownSecretFiles(
  config: PushConfig & {
    readonly PLEXUS_STATE_DIR?: string | undefined;
    readonly NATS_NKEY_SEED_FILE?: string | undefined;
    readonly NATS_CREDS_FILE?: string | undefined;
    readonly NATS_KEY_FILE?: string | undefined;
  },
): string[] {
  const own = [
    config.PLEXUS_STATE_DIR,
    config.NATS_NKEY_SEED_FILE,
    config.NATS_CREDS_FILE,
    config.NATS_KEY_FILE,
    config.PLEXUS_MASTER_KEY_FILE,
    config.PLEXUS_MASTER_KEY_PREVIOUS_FILE,
  ];
  return [...own, '/proc', '/sys', '/run/secrets/plexus', '/run/secrets/kubernetes.io'].filter((file) => file !== undefined);
}
