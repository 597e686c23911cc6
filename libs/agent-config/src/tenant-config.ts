import { z } from 'zod';
import { ALWAYS, fieldOf, uniqueBy } from './unique.js';

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

const AgentList = z.array(AgentConfig).max(1_000).superRefine(uniqueBy('id', 'duplicate_agent'), ALWAYS).superRefine(oneDefault, ALWAYS);

function oneDefault(agents: unknown, context: z.core.$RefinementCtx): void {
  if (!Array.isArray(agents)) return;
  const [chosen, ...others] = agents.flatMap((agent, index) => (fieldOf(agent, 'default') === true ? [index] : []));
  for (const index of others) {
    context.addIssue({ code: 'custom', params: { code: 'two_defaults' }, path: [index, 'default'], message: `entry ${chosen} is already the default` });
  }
}

/** A binding to an agent that does not exist would send messages nowhere. */
function knownAgents(config: unknown, context: z.core.$RefinementCtx): void {
  const list = fieldOf(fieldOf(config, 'agents'), 'list');
  const bindings = fieldOf(config, 'bindings');
  if (!Array.isArray(list) || !Array.isArray(bindings)) return;
  const known = new Set(list.map((agent) => fieldOf(agent, 'id')));
  for (const [index, binding] of bindings.entries()) {
    const agentId = fieldOf(binding, 'agentId');
    if (typeof agentId !== 'string' || known.has(agentId)) continue;
    const message = `${JSON.stringify(agentId)} is not in agents.list`;
    context.addIssue({ code: 'custom', params: { code: 'unknown_agent' }, path: ['bindings', index, 'agentId'], message });
  }
}

/** Key `<tenant>` of PLEXUS_CONFIG: what a tenant configures for itself. */
export const TenantConfig = z
  .strictObject({
    agents: z.strictObject({ list: AgentList.default([{ id: 'main', default: true }]) }).default({ list: [{ id: 'main', default: true }] }),
    bindings: z.array(BindingConfig).max(10_000).default([]),
    session: SessionConfig.default({}),
    defaultOwner: z.string().min(1).max(256).optional().describe("Overrides the platform's default owner of this tenant."),
  })
  .superRefine(knownAgents, ALWAYS);
export type TenantConfig = z.infer<typeof TenantConfig>;
/** The document as people write it, before defaults. */
export type TenantConfigInput = z.input<typeof TenantConfig>;
