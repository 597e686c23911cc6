import { z } from 'zod';
import { SecretRef } from '../secrets/secret-ref.js';
import { Text } from './names.js';

const count = (max: number, description: string, fallback: number) => z.number().int().min(1).max(max).optional().meta({ description, default: fallback });

/** What each channel may cost: its budget belongs to this tenant and this channel, for each replica of push. */
const Budget = {
  enabled: z.boolean().optional().meta({ description: 'False: nothing is sent over this channel.', default: true }),
  perMinute: count(100_000, 'Most attempts a minute.', 600),
  concurrent: count(1_000, 'Most attempts at the same time.', 8),
  timeoutMs: z.number().int().min(100).max(60_000).optional().meta({ description: 'Longest attempt.', default: 10_000 }),
  maxAttempts: count(100, 'Attempts before a delivery becomes a dead letter.', 12),
} as const;

export const PushSessionChannel = z.strictObject({ ...Budget });

export const PushWebhookChannel = z.strictObject({
  ...Budget,
  signingSecret: SecretRef.optional().describe('Where the secret is that requests are signed with (Standard Webhooks: `whsec_…` or any text).'),
});

export const PushEmailChannel = z.strictObject({
  ...Budget,
  host: Text(253).describe('SMTP server.'),
  port: z.number().int().min(1).max(65_535).optional().meta({ description: 'Its port. Default: 465 with `security: tls`, else 587.' }),
  security: z.enum(['tls', 'starttls', 'none']).optional().meta({
    description: 'TLS from the first byte, TLS after STARTTLS (refused if the server has none), or neither.',
    default: 'starttls',
  }),
  user: z.string().max(320).optional().describe('Name to log in with. Absent: no login.'),
  password: SecretRef.optional().describe('Where its password is.'),
  from: Text(320).describe('Sender, `Name <address>` or an address.'),
  replyTo: z.string().max(320).optional().describe('Where answers go.'),
  unsubscribe: z
    .string()
    .max(2_048)
    .regex(/^(https:\/\/|mailto:)[^\s<>]+$/, { error: 'must be an https: or mailto: address' })
    .optional()
    .describe('Address in List-Unsubscribe. Absent: a mail to the sender.'),
});

export const PushWebPushChannel = z.strictObject({
  ...Budget,
  publicKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{87}=?$/, { error: 'must be a VAPID public key: 65 bytes in base64url' })
    .describe('VAPID public key: what browsers subscribe with.'),
  privateKey: SecretRef.describe('Where its private half is.'),
  subject: z
    .string()
    .max(320)
    .regex(/^(https:\/\/|mailto:)\S+$/, { error: 'must be an https: or mailto: address' })
    .describe('Whom push services may write to about our requests.'),
});

export const PushChannelsConfig = z.strictObject({
  session: PushSessionChannel.optional().describe("A message in the user's own session. Needs no settings."),
  webhook: PushWebhookChannel.optional().describe('A signed request to the address of the contact.'),
  email: PushEmailChannel.optional().describe('Mail over SMTP.'),
  webpush: PushWebPushChannel.optional().describe('Web Push to browsers.'),
});
export type PushChannelsConfig = z.infer<typeof PushChannelsConfig>;

/** A model that judges whose interest an event means, after the embedding model. */
export const PushLlmConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'True: interests that look close are judged by the model.', default: false }),
  baseUrl: z
    .string()
    .max(2_048)
    .regex(/^https?:\/\/[^\s?#]+$/, { error: 'must be an http(s) address up to and without /chat/completions' })
    .describe('OpenAI-compatible endpoint, up to and without /chat/completions.'),
  model: Text(200).describe('Model that is asked.'),
  apiKey: SecretRef.optional().describe('Where its key is.'),
  timeoutMs: z.number().int().min(100).max(10_000).optional().meta({ description: 'Longest wait; then the similarity alone counts.', default: 2_000 }),
  maxInterests: count(50, 'Most different interests of one event that are judged: the closest ones.', 20),
  minScore: z.number().min(0).max(1).optional().meta({ description: 'An interest that is judged lower does not concern the event.', default: 0.5 }),
});
export type PushLlmConfig = z.infer<typeof PushLlmConfig>;

export const PushConfig = z.strictObject({
  accessSources: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,127}$/, { error: 'must be a source token: [a-z0-9][a-z0-9_-]*' }))
    .max(50)
    .optional()
    .meta({
      description:
        'Sources (the token behind the tenant in `plexus.in.<tenant>.<source>.…`) whose events access-granted and access-revoked say who may see a case or topic. Those of other sources are ordinary events.',
      default: [],
    }),
  llm: PushLlmConfig.optional().describe('Judges interests in words by a language model. Off by default.'),
  channels: PushChannelsConfig.optional().describe('Channels outside the inbox. A channel that needs settings and has none sends nothing.'),
});
export type PushConfig = z.infer<typeof PushConfig>;
