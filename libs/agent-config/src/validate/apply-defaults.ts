import type { ConfigIssue } from '../issue.js';
import { bindingConflicts } from '../resolve/binding-conflicts.js';
import { defaultAgentId } from '../resolve/agents.js';
import { lookUpModel } from '../resolve/models.js';
import { TOOL_GROUPS, PLUGIN_GROUP, normaliseToolName } from '../resolve/tool-names.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import type { AgentToolsConfig } from '../schema/tools-config.js';
import { idleSettings } from './not-acted-on.js';
import { suggest } from './suggest.js';

/** Fills in what the document left open about sessions, agents and models. Applying it twice changes nothing. */
export function applyDefaults(config: TenantConfig): TenantConfig {
  const chosen = defaultAgentId(config);
  const list = config.agents.list.map((agent) => {
    const model = agent.model || config.agents.defaults?.model || config.models?.default;
    return { ...agent, ...(agent.id === chosen && { default: true }), ...(model !== undefined && model !== '' && { model }) };
  });
  return {
    ...config,
    agents: { ...config.agents, list },
    session: {
      ...config.session,
      dmScope: config.session.dmScope ?? 'main',
      mainKey: config.session.mainKey || 'main',
      scope: config.session.scope ?? 'per-sender',
    },
  };
}

/** What is legal and still worth a word: it will not do what its author expects. */
export function doubtsAbout(config: TenantConfig): ConfigIssue[] {
  return [...idleSettings(config), ...bindingDoubts(config), ...modelDoubts(config), ...scopeDoubts(config), ...toolDoubts(config)];
}

function bindingDoubts(config: TenantConfig): ConfigIssue[] {
  return bindingConflicts(config).map(({ indexes, code, message }) => ({ path: `bindings.${indexes[1]}`, code, message, fix: 'remove one of the two' }));
}

function modelDoubts(config: TenantConfig): ConfigIssue[] {
  const providers = config.models?.providers;
  if (providers === undefined || Object.keys(providers).length === 0) return [];
  const places: [string, string | undefined][] = [
    ['models.default', config.models?.default],
    ['agents.defaults.model', config.agents.defaults?.model],
    ...(config.models?.fallbacks ?? []).map((ref, index): [string, string] => [`models.fallbacks.${index}`, ref]),
    ...config.agents.list.map((agent, index): [string, string | undefined] => [`agents.list.${index}.model`, agent.model]),
  ];
  return places.flatMap(([path, ref]): ConfigIssue[] => {
    if (ref === undefined || ref.trim() === '') return [];
    const { provider, model } = lookUpModel(config, ref);
    if (provider === undefined)
      return [
        { path, code: 'unknown_provider', message: 'no provider offers this model: the runtime has to know it', value: ref, fix: 'write provider/model' },
      ];
    const offered = providers[provider]?.models.map(({ id }) => id) ?? [];
    if (offered.length === 0 || offered.includes(model)) return [];
    const guess = suggest(model, offered);
    return [
      {
        path,
        code: 'unknown_model',
        message: `${provider} does not list this model`,
        value: ref,
        fix: guess === undefined ? `add it to models.providers.${provider}.models` : `did you mean ${provider}/${guess}?`,
      },
    ];
  });
}

function scopeDoubts(config: TenantConfig): ConfigIssue[] {
  return config.agents.list.flatMap((agent, index) =>
    agent.scope === undefined || agent.sandbox?.scope === undefined || agent.scope === agent.sandbox.scope
      ? []
      : [
          {
            path: `agents.list.${index}.scope`,
            code: 'two_scopes',
            message: `sandbox.scope is ${agent.sandbox.scope}, and that counts`,
            value: agent.scope,
            fix: 'remove one of the two',
          },
        ],
  );
}

/** A group that does not exist matches nothing: in a deny list it would protect from nothing. */
function toolDoubts(config: TenantConfig): ConfigIssue[] {
  const groups = [...TOOL_GROUPS.keys(), PLUGIN_GROUP];
  const lists = (tools: AgentToolsConfig | undefined, path: string): [string, readonly string[]][] => {
    if (tools === undefined) return [];
    const { allow = [], deny = [], alsoAllow = [], sandbox, byProvider = {} } = tools;
    const own: [string, readonly string[]][] = [
      [`${path}.allow`, allow],
      [`${path}.deny`, deny],
      [`${path}.alsoAllow`, alsoAllow],
    ];
    const inside: [string, readonly string[]][] = [
      [`${path}.sandbox.tools.allow`, sandbox?.tools?.allow ?? []],
      [`${path}.sandbox.tools.deny`, sandbox?.tools?.deny ?? []],
    ];
    return [...own, ...inside, ...Object.entries(byProvider).flatMap(([id, layer]) => lists(layer, `${path}.byProvider.${id}`))];
  };
  const all = [
    ...lists(config.tools, 'tools'),
    ...lists(config.agents.defaults?.tools, 'agents.defaults.tools'),
    ...config.agents.list.flatMap((agent, index) => lists(agent.tools, `agents.list.${index}.tools`)),
  ];
  return all.flatMap(([path, names]) =>
    names.flatMap((name, index): ConfigIssue[] => {
      const group = normaliseToolName(name);
      if (!group.startsWith('group:') || groups.includes(group)) return [];
      const guess = suggest(group, groups);
      return [
        {
          path: `${path}.${index}`,
          code: 'unknown_tool_group',
          message: 'there is no such group of tools: it matches nothing',
          value: name,
          fix: guess === undefined ? `known: ${groups.join(', ')}` : `did you mean ${guess}?`,
        },
      ];
    }),
  );
}
