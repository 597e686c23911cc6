import { z } from 'zod';
import { REFERENCE_NAME } from '../secrets/secret-ref.js';
import { AgentsConfig } from './agents-config.js';
import { BindingConfig } from './binding-config.js';
import { ChannelsConfig } from './channels-config.js';
import { crossChecks } from './cross-checks.js';
import { McpConfig } from './mcp-config.js';
import { ModelsConfig } from './models-config.js';
import { TenantLimits } from './platform-config.js';
import { PushConfig } from './push-config.js';
import { QueueConfig } from './queue-config.js';
import { CronJobConfig, HeartbeatConfig } from './schedules-config.js';
import { GatewayConfig, HooksConfig, LanesConfig, MetaConfig, PluginsConfig, RetentionConfig } from './service-config.js';
import { SessionConfig } from './session-config.js';
import { ToolsConfig } from './tools-config.js';
import { ALWAYS, uniqueBy } from './unique.js';

const CronJobs = z.array(CronJobConfig).max(10_000).superRefine(uniqueBy('id', 'duplicate_job'), ALWAYS);

/** Key `<tenant>` of PLEXUS_CONFIG: what a tenant configures for itself. */
export const TenantConfig = z
  .strictObject({
    agents: AgentsConfig.default({ list: [{ id: 'main', default: true }] }).describe('The agents and what they have in common.'),
    bindings: z.array(BindingConfig).max(10_000).default([]).describe('Which messages go to which agent. Without a match: to the default agent.'),
    session: SessionConfig.default({}).describe('Which messages belong together.'),
    defaultOwner: z.string().min(1).max(256).optional().describe("Overrides the platform's default owner of this tenant."),
    channels: ChannelsConfig.optional().describe('Channels by adapter: webhook, telegram, slack, upstream, and those that plugins declare.'),
    messages: z
      .strictObject({ queue: QueueConfig.optional().describe('What happens to messages while an agent is busy.') })
      .optional()
      .describe('Handling of messages.'),
    tools: ToolsConfig.optional().describe('What agents may do.'),
    models: ModelsConfig.optional().describe('Which models there are.'),
    mcp: McpConfig.optional().describe('Model Context Protocol: servers whose tools agents may use.'),
    heartbeat: HeartbeatConfig.optional().describe('Wakes agents regularly.'),
    cron: z
      .strictObject({
        jobs: CronJobs.optional().describe('Messages to agents at fixed times.'),
        maxConcurrent: z.number().int().min(1).max(10_000).optional().describe('Runs of the cron lane at once; `lanes.cron` wins.'),
      })
      .optional()
      .describe('Work at fixed times.'),
    push: PushConfig.optional().describe('How people are reached.'),
    hooks: HooksConfig.optional().describe('Requests from outside that wake an agent.'),
    plugins: PluginsConfig.optional().describe('Extensions.'),
    gateway: GatewayConfig.optional().describe('How changes reach the services.'),
    lanes: LanesConfig.optional().describe('How many runs of each kind at once.'),
    retention: RetentionConfig.optional().describe('How long data is kept.'),
    limits: TenantLimits.optional().describe('Ceilings; they can only be lower than those of the platform.'),
    env: z
      .record(z.string().max(128).regex(REFERENCE_NAME, { error: 'must be a variable name: [A-Z_][A-Z0-9_]*' }), z.string().max(32_768))
      .optional()
      .describe('Values for references whose variable the resolving process does not have. Not for secrets.'),
    meta: MetaConfig.optional().describe('Notes of tools. A change here does nothing.'),
  })
  .superRefine(crossChecks, ALWAYS);
export type TenantConfig = z.infer<typeof TenantConfig>;
/** The document as people write it, before defaults. */
export type TenantConfigInput = z.input<typeof TenantConfig>;
