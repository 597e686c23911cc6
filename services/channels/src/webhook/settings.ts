import { z } from 'zod';

const Secret = z.string().min(16, { error: 'must have at least 16 characters' }).max(512);

/** Settings of one webhook account. Secrets are references in the configuration; here they are resolved. */
export const webhookSettings = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .optional()
      .describe('Where our messages are POSTed to. Absent: the account only receives.'),
    signingSecret: Secret.describe('Key of the signatures in both directions; `whsec_<base64>` or any text.'),
    previousSigningSecret: Secret.optional().describe('Still accepted, and signed with in addition, while a key is being replaced.'),
    timeoutMs: z.number().int().min(100).max(30_000).default(10_000).describe('Time limit of one POST.'),
    attempts: z.number().int().min(1).max(5).default(3).describe('POSTs per attempt of routing, for network errors and 5xx.'),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.string().regex(/^[\x20-\x7e]{0,1024}$/))
      .optional()
      .describe('Added to each POST, for example an API key.'),
  })
  .refine((settings) => !Object.keys(settings.headers ?? {}).some((name) => /^(host|content-.*|webhook-.*|transfer-encoding|connection)$/i.test(name)), {
    error: 'a header that the adapter sets itself',
    path: ['headers'],
  });
export type WebhookSettings = z.output<typeof webhookSettings>;
