import { z } from 'zod';

export const DEFAULT_API_ROOT = 'https://api.telegram.org';

/** Settings of one bot. Secrets are references in the configuration; here they are resolved. */
export const telegramSettings = z
  .strictObject({
    botToken: z
      .string()
      .regex(/^\d{3,20}:[A-Za-z0-9_-]{20,100}$/, { error: 'must be a bot token as @BotFather gives it' })
      .describe('Token of the bot.'),
    apiRoot: z
      .url({ protocol: /^https?$/ })
      .default(DEFAULT_API_ROOT)
      .describe('Another Bot API server.'),
    mode: z.enum(['polling', 'webhook']).default('polling').describe('polling: we ask; webhook: Telegram calls `publicUrl`.'),
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('webhook: the address from outside of `/channels/telegram/<tenant>/<account>` on our HTTP port.'),
    webhookSecret: z
      .string()
      .regex(/^[A-Za-z0-9_-]{16,256}$/, { error: 'must be 16 to 256 of A-Z a-z 0-9 _ -' })
      .optional()
      .describe('webhook: what Telegram presents with each call.'),
    pollTimeoutSeconds: z.number().int().min(0).max(50).default(25).describe('How long Telegram holds a request while there is nothing new.'),
    linkPreviews: z.boolean().default(true).describe('Show previews of links in our messages.'),
  })
  .refine((settings) => settings.mode === 'polling' || (settings.publicUrl !== undefined && settings.webhookSecret !== undefined), {
    error: 'mode webhook needs publicUrl and webhookSecret',
    path: ['mode'],
  });
export type TelegramSettings = z.output<typeof telegramSettings>;
