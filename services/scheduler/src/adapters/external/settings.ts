import { z } from 'zod';

/** Settings of the external provider. */
export const externalSettings = z.object({
  EXTERNAL_ATTACH_MS: z.coerce
    .number()
    .int()
    .min(10_000)
    .max(24 * 3_600_000)
    .default(600_000)
    .describe('How long a VM waits for a runtime that somebody else starts.'),
  EXTERNAL_CONTROL_PLANE_WS: z
    .string()
    .regex(/^wss?:\/\/\S+$/, { error: 'must be a ws:// or wss:// URL' })
    .optional()
    .describe('Address of the gateway as runtimes elsewhere see it. Default: CONTROL_PLANE_WS.'),
});
export type ExternalSettings = z.output<typeof externalSettings>;
