import { z } from 'zod';
import { AgentModelsConfig, ModelRef } from './models-config.js';
import { AgentId, Names, OptionalText, Text } from './names.js';
import { QueueConfig } from './queue-config.js';
import { SandboxConfig, SandboxScope } from './sandbox-config.js';
import { HeartbeatConfig } from './schedules-config.js';
import { AgentToolsConfig } from './tools-config.js';
import { ALWAYS, fieldOf, uniqueBy } from './unique.js';

const Path = OptionalText(4_096);
const Concurrency = z.number().int().min(1).max(10_000).optional();

const runSettings = {
  runtime: z.enum(['semigraph', 'openclaw']).optional().meta({ description: 'What runs the agent inside its VM.', default: 'semigraph' }),
  temperature: z.number().min(0).max(2).optional().describe('How freely the model chooses its words. Absent: the default of the model.'),
  maxTokens: z.number().int().min(1).max(100_000_000).optional().describe('Longest answer of one model call. Absent: the default of the model.'),
  maxTurns: z.number().int().min(1).max(10_000).optional().describe('Model calls for one message. Absent: the default of the runtime.'),
  contextTokens: z
    .number()
    .int()
    .min(16_000)
    .max(100_000_000)
    .optional()
    .describe('Most tokens of a conversation that go to the model. It can only lower the window of the model.'),
  contextPruning: z.enum(['off', 'cache-ttl']).optional().meta({
    description: 'Whether old results of tools give way once the cache of the model has gone cold (5 min). Counts when a session starts.',
    default: 'off',
  }),
};

export const IdentityConfig = z.strictObject({
  name: OptionalText(200).describe('Name that the agent uses for itself.'),
  avatar: OptionalText(4_096).describe('Picture: `data:` or `http(s):` address, or a path inside the workspace to an image of at most 2 MiB.'),
});
export type IdentityConfig = z.infer<typeof IdentityConfig>;

/** One agent. What it leaves out is taken from `agents.defaults`. */
export const AgentConfig = z.strictObject({
  id: AgentId.describe('Name of the agent in session keys, bindings and commands.'),
  default: z.boolean().optional().describe('At most one agent; without any, the first of the list.'),
  name: OptionalText(200).describe('What people see.'),
  model: OptionalText(200).describe('Model reference; absent: the default of the runtime.'),
  systemPrompt: OptionalText(100_000).describe('Standing instruction of the agent.'),
  owner: Text(256).optional().describe("Whose this agent's channel sessions are; absent: the tenant's default owner."),
  scope: SandboxScope.optional().describe('Short for `sandbox.scope`. Absent: user.'),
  agentDir: Path.describe('Folder of the agent; no two agents may share one. Absent: `<state>/agents/<id>/agent`.'),
  workspace: Path.describe('Folder the agent works in.'),
  identity: IdentityConfig.optional().describe('How the agent presents itself.'),
  models: AgentModelsConfig.optional().describe('Further models of the agent.'),
  skills: Names(1_000).optional().describe('Skills the agent may use. Absent: all; empty: none.'),
  ...runSettings,
  sandbox: SandboxConfig.optional().describe('Isolation of this agent.'),
  tools: AgentToolsConfig.optional().describe('Tools of this agent. What the global rules refuse stays refused.'),
  heartbeat: HeartbeatConfig.optional().describe('Wakes the agent regularly.'),
  queue: QueueConfig.optional().describe('What happens to messages while the agent is busy.'),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** What holds for every agent that says nothing else. */
export const AgentDefaults = z.strictObject({
  model: ModelRef.optional().describe('Model reference; absent: `models.default`.'),
  systemPrompt: OptionalText(100_000).describe('Standing instruction, for agents that have none of their own.'),
  models: AgentModelsConfig.optional().describe('Further models.'),
  workspace: Path.describe('Folder of the default agent; other agents get the subfolder of their id.'),
  skills: Names(1_000).optional().describe('Skills that agents may use. Absent: all.'),
  ...runSettings,
  sandbox: SandboxConfig.optional().describe('Isolation.'),
  tools: AgentToolsConfig.optional().describe('Tools, for agents that have no `tools` of their own.'),
  heartbeat: HeartbeatConfig.optional().describe('Wakes agents regularly.'),
  queue: QueueConfig.optional().describe('What happens to messages while an agent is busy.'),
  maxConcurrent: Concurrency.describe('Runs of the main lane at once; `lanes.main` wins.'),
  subagents: z
    .strictObject({ maxConcurrent: Concurrency.describe('Runs of the subagent lane at once; `lanes.subagent` wins.') })
    .optional()
    .describe('Runs that other runs start.'),
});
export type AgentDefaults = z.infer<typeof AgentDefaults>;

function oneDefault(agents: unknown, context: z.core.$RefinementCtx): void {
  if (!Array.isArray(agents)) return;
  const [chosen, ...others] = agents.flatMap((agent, index) => (fieldOf(agent, 'default') === true ? [index] : []));
  for (const index of others) {
    context.addIssue({ code: 'custom', params: { code: 'two_defaults' }, path: [index, 'default'], message: `entry ${chosen} is already the default` });
  }
}

const AgentList = z.array(AgentConfig).max(1_000).superRefine(uniqueBy('id', 'duplicate_agent'), ALWAYS).superRefine(oneDefault, ALWAYS);

export const AgentsConfig = z.strictObject({
  defaults: AgentDefaults.optional().describe('What holds for every agent that says nothing else.'),
  list: AgentList.default([{ id: 'main', default: true }]).describe('The agents.'),
});
export type AgentsConfig = z.infer<typeof AgentsConfig>;
