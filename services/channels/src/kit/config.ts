import { z } from 'zod';

/** Settings of an adapter's process, beside those that every service has. Accounts are not among them: they are in the tenants' configuration. */
export const channelConfig = z.object({
  CHANNEL_HTTP_HOST: z.string().min(1).default('127.0.0.1').describe('Address on which platforms call us.'),
  CHANNEL_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(0).describe('Its port; 0: any free one. Opened when the first account needs it.'),
  CHANNEL_HTTP_MAX_BODY_BYTES: z.coerce.number().int().min(1_024).max(16_777_216).default(1_048_576).describe('Larger requests are refused with 413.'),
  CHANNEL_PRIVATE_HOSTS: z
    .string()
    .default('')
    .describe('Hosts and addresses outside the public internet that accounts may name, separated by commas; * for all. Names are not patterns.'),
  CHANNEL_SECRET_FOLDERS: z
    .string()
    .default('')
    .describe('Folders from which {file} references may be read, separated by commas. Empty: everywhere but in folders of Plexus itself.'),
  CHANNEL_RETRY_CAP_MS: z.coerce.number().int().min(100).max(3_600_000).default(60_000).describe('Longest pause between two attempts to connect an account.'),
});

/** The variables that references in the configuration may name; a snapshot of this process's own. */
export function secretVariables(): Readonly<Record<string, string | undefined>> {
  return { ...process.env };
}
