import { z } from 'zod';
import { AgentId, Names, ProviderId } from './names.js';

const ToolNames = Names(1_000);
const Profile = z.enum(['minimal', 'coding', 'messaging', 'full']);

const filter = {
  allow: ToolNames.optional().describe('Names, `group:…` or patterns with `*`. Empty or absent: everything. Otherwise only what matches.'),
  deny: ToolNames.optional().describe('What matches is refused, whatever else allows it.'),
};

const layer = {
  profile: Profile.optional().describe('Base set of tools. `full` has no limits.'),
  ...filter,
  alsoAllow: ToolNames.optional().describe('Added to what profile and allow list permit; the way to add tools of plugins.'),
};

const shared = {
  ...layer,
  byProvider: z.record(ProviderId, z.strictObject(layer)).optional().describe('Narrower rules while a model of that provider answers.'),
  sandbox: z
    .strictObject({ tools: z.strictObject(filter).optional().describe('The two lists.') })
    .optional()
    .describe('Lists that hold inside a sandbox. A list of the agent replaces the global one, which replaces the default; allow and deny each for themselves.'),
};

export const AgentToolsConfig = z.strictObject(shared);
export type AgentToolsConfig = z.infer<typeof AgentToolsConfig>;

export const ToolsConfig = z.strictObject({
  ...shared,
  profile: Profile.optional().meta({ description: 'Base set of tools. `full` has no limits.', default: 'full' }),
  sessions: z
    .strictObject({
      visibility: z.enum(['self', 'tree', 'agent', 'all']).optional().meta({
        description: 'Which other sessions an agent may read or write: its own only, those it started, those of the same agent, all.',
        default: 'tree',
      }),
    })
    .optional()
    .describe('Reach of the session tools.'),
  agentToAgent: z
    .strictObject({
      enabled: z.boolean().optional().meta({ description: 'Agents may address sessions of other agents.', default: false }),
      allow: z
        .array(z.union([z.literal('*'), AgentId]))
        .max(1_000)
        .optional()
        .describe('Agents that take part; `*` is everyone. Empty or absent: everyone.'),
    })
    .optional()
    .describe('Sessions of one agent in the hands of another.'),
});
export type ToolsConfig = z.infer<typeof ToolsConfig>;
