import { TenantConfig } from '@plexus/agent-config';
import { plexusError, routingContracts as routing, skillContracts as skill } from '@plexus/contracts';
import { agentIdOf } from '@plexus/routing-core';
import { z } from 'zod';
import type { MethodHandlers } from './method-context.js';

type CatalogueMethods = Pick<MethodHandlers, 'skills.status' | 'config.schema' | 'agent.identity.get' | 'usage.status'>;

/** Made once, when somebody asks: it never changes while the process lives. */
let configSchema: unknown;

/** What there is to choose from: skills, agents, settings. */
export const catalogueMethods: CatalogueMethods = {
  /** Every skill of the tenant. What one needs is there or not in each VM: that is looked at where it runs, not here. */
  'skills.status': async (_params, call) => {
    const { skills } = await call.ask(skill.listSkills, {});
    const none = { bins: [], anyBins: [], env: [], config: [], os: [] };
    return {
      workspaceDir: `plexus:${call.connection.principal.tenant}`,
      managedSkillsDir: 'PLEXUS_SKILLS',
      skills: skills.map(({ id, name, description, version, source, requires, hash }) => ({
        ...{ name, description, version, skillKey: id, source: source === 'builtin' ? 'openclaw-bundled' : 'openclaw-managed', bundled: source === 'builtin' },
        ...{ filePath: `${id}/SKILL.md`, baseDir: id, hash, always: false, disabled: false, blockedByAllowlist: false, eligible: true },
        requirements: { ...none, bins: requires.binaries, env: requires.env_vars },
        ...{ missing: none, configChecks: [], install: [] },
      })),
    };
  },

  /** The tenant's document as JSON Schema, for screens that make a form of it. */
  'config.schema': (_params, { services }) => {
    configSchema ??= z.toJSONSchema(TenantConfig, { io: 'input', unrepresentable: 'any' });
    return { schema: configSchema, uiHints: {}, version: services.version, generatedAt: new Date(services.startedAt).toISOString() };
  },

  'agent.identity.get': async ({ agentId, sessionKey }, call) => {
    const { agents, defaultAgentId } = await call.ask(routing.listAgents, {});
    const wanted = agentIdOf({ agentId, sessionKey }) ?? defaultAgentId;
    const found = agents.find(({ id }) => id === wanted);
    if (found === undefined) throw plexusError('NOT_FOUND', { message: `no agent is called ${wanted}`, details: { agentId: wanted } });
    return { agentId: found.id, ...(found.name === undefined ? {} : { name: found.name, nameSource: 'config' }) };
  },

  /** Quota windows that model providers tell of. None is asked here. */
  'usage.status': (_params, { services }) => ({ updatedAt: services.now(), providers: [] }),
};
