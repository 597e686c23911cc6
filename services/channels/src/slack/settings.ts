import { z } from 'zod';

export const DEFAULT_API_URL = 'https://slack.com/api/';

/** Settings of one Slack app in one workspace. Secrets are references in the configuration; here they are resolved. */
export const slackSettings = z
  .strictObject({
    botToken: z
      .string()
      .regex(/^xox[a-z]-.{10,}$/, { error: 'must be a bot token (xoxb-…)' })
      .describe('Bot token, with chat:write and the history scopes of the places where it listens.'),
    mode: z.enum(['socket', 'http']).default('socket').describe('socket: Socket Mode, no address needed; http: Events API, Slack calls us.'),
    appToken: z
      .string()
      .regex(/^xapp-.{10,}$/, { error: 'must be an app-level token (xapp-…)' })
      .optional()
      .describe('socket: app-level token with connections:write.'),
    signingSecret: z.string().min(16).max(256).optional().describe('http: signing secret of the app.'),
    apiUrl: z
      .url({ protocol: /^https?$/ })
      .default(DEFAULT_API_URL)
      .describe('Another API server.'),
    unfurlLinks: z.boolean().default(false).describe('Show previews of links in our messages.'),
  })
  .refine((settings) => settings.mode === 'http' || settings.appToken !== undefined, { error: 'mode socket needs appToken', path: ['appToken'] })
  .refine((settings) => settings.mode === 'socket' || settings.signingSecret !== undefined, {
    error: 'mode http needs signingSecret',
    path: ['signingSecret'],
  });
export type SlackSettings = z.output<typeof slackSettings>;
