import { z } from 'zod';

/** Agent ids are subject tokens and parts of session keys, hence lower case. */
const AgentId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'an agent id must be [a-z0-9][a-z0-9_-]{0,63}' });
const Optional = (maximum: number) => z.string().max(maximum).optional();

/** Who shares one VM: everybody of the tenant, one agent, one session, or one user (the default). */
export const SandboxScope = z.enum(['user', 'session', 'agent', 'shared']);
export type SandboxScope = z.infer<typeof SandboxScope>;

export const AgentConfig = z.strictObject({
  id: AgentId,
  default: z.boolean().optional().describe('At most one agent; without any, the first of the list.'),
  name: Optional(200).describe('What people see.'),
  model: Optional(200).describe('Model reference; absent: the default of the runtime.'),
  systemPrompt: Optional(100_000),
  owner: z.string().min(1).max(256).optional().describe("Whose this agent's channel sessions are; absent: the tenant's default owner."),
  scope: SandboxScope.optional().describe('Absent: user.'),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** Sends a channel, account, peer, guild or team to one agent. Every constraint that is given must hold. Names are normalised by the router, not here. */
export const BindingConfig = z.strictObject({
  agentId: AgentId,
  comment: Optional(500),
  match: z.strictObject({
    channel: z.string().min(1).max(64),
    accountId: Optional(128).describe('Absent: the default account; `*`: every account.'),
    peer: z.strictObject({ kind: z.string().min(1).max(16), id: z.string().min(1).max(256) }).optional(),
    guildId: Optional(128),
    teamId: Optional(128),
    roles: z.array(z.string().min(1).max(128)).max(100).optional(),
  }),
});
export type BindingConfig = z.infer<typeof BindingConfig>;

export const SessionConfig = z.strictObject({
  dmScope: z
    .enum(['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'])
    .optional()
    .describe('Which direct messages share a session. Absent: main.'),
  mainKey: Optional(128).describe('Name of the main session. Absent: main.'),
  scope: z.enum(['per-sender', 'global']).optional(),
  identityLinks: z
    .record(z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(100))
    .optional()
    .describe('Canonical name → peers that are the same person; order matters.'),
});
export type SessionConfig = z.infer<typeof SessionConfig>;

const AgentList = z
  .array(AgentConfig)
  .max(1_000)
  .superRefine((agents, context) => {
    const first = new Map<string, number>();
    let chosen: number | undefined;
    for (const [index, agent] of agents.entries()) {
      const known = first.get(agent.id);
      if (known === undefined) first.set(agent.id, index);
      else
        context.addIssue({
          code: 'custom',
          params: { code: 'duplicate_agent' },
          path: [index, 'id'],
          message: `${JSON.stringify(agent.id)} is already entry ${known}`,
        });
      if (agent.default !== true) continue;
      if (chosen === undefined) chosen = index;
      else context.addIssue({ code: 'custom', params: { code: 'two_defaults' }, path: [index, 'default'], message: `entry ${chosen} is already the default` });
    }
  });

/** Key `<tenant>` of PLEXUS_CONFIG: what a tenant configures for itself. */
export const TenantConfig = z
  .strictObject({
    agents: z.strictObject({ list: AgentList.default([{ id: 'main', default: true }]) }).default({ list: [{ id: 'main', default: true }] }),
    bindings: z.array(BindingConfig).max(10_000).default([]),
    session: SessionConfig.default({}),
    defaultOwner: z.string().min(1).max(256).optional().describe("Overrides the platform's default owner of this tenant."),
  })
  .superRefine((config, context) => {
    const known = new Set(config.agents.list.map((agent) => agent.id));
    for (const [index, binding] of config.bindings.entries()) {
      if (known.has(binding.agentId)) continue;
      context.addIssue({
        code: 'custom',
        params: { code: 'unknown_agent' },
        path: ['bindings', index, 'agentId'],
        message: `${JSON.stringify(binding.agentId)} is not in agents.list`,
      });
    }
  });
export type TenantConfig = z.infer<typeof TenantConfig>;
/** The document as people write it, before defaults. */
export type TenantConfigInput = z.input<typeof TenantConfig>;
