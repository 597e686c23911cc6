import { z } from 'zod';
import { AgentId, OptionalText } from './names.js';

/** Sends a channel, account, peer, guild or team to one agent. Every constraint that is given must hold. Names are normalised by the router, not here. */
export const BindingConfig = z.strictObject({
  agentId: AgentId.describe('Who answers.'),
  comment: OptionalText(500).describe('For people.'),
  match: z
    .strictObject({
      channel: z.string().min(1).max(64).describe('Channel id.'),
      accountId: OptionalText(128).describe('Absent: the default account; `*`: every account.'),
      peer: z
        .strictObject({
          kind: z.string().min(1).max(16).describe('`direct`, `group` or `channel`.'),
          id: z.string().min(1).max(256).describe('Id of the chat; `*`: every chat of that kind.'),
        })
        .optional()
        .describe('One chat: kind (`direct`, `group`, `channel`) and id; id `*` is every chat of that kind.'),
      guildId: OptionalText(128).describe('Only in this guild.'),
      teamId: OptionalText(128).describe('Only in this team.'),
      roles: z.array(z.string().min(1).max(128)).max(100).optional().describe('Only for members with one of these roles; together with `guildId`.'),
    })
    .describe('Which messages.'),
});
export type BindingConfig = z.infer<typeof BindingConfig>;
