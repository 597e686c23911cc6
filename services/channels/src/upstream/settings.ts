import { z } from 'zod';

/** Settings of one upstream gateway. Secrets are references in the configuration; here they are resolved. */
export const upstreamSettings = z.strictObject({
  url: z.url({ protocol: /^wss?$/ }).describe('Address of the gateway.'),
  token: z.string().min(1).max(16_384).optional().describe('Its token.'),
  deliver: z.enum(['chat', 'inject']).default('chat').describe('chat: our message starts a run there; inject: it is only shown in the session.'),
  sessions: z.array(z.string().min(1).max(256)).max(1_000).optional().describe('Session keys that are used. Absent: all.'),
  follow: z.enum(['own', 'all']).default('own').describe('Which answers come in: those to our messages, or every answer of those sessions.'),
  maxTurns: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(5)
    .describe('Answers to our messages per session within ten minutes: two agents must not talk for ever.'),
});
export type UpstreamSettings = z.output<typeof upstreamSettings>;
