import { BUILT_IN_CHANNELS } from '../schema/channels-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import type { AgentToolsConfig } from '../schema/tools-config.js';
import { findAgent } from './agents.js';
import { CORE_TOOLS, expandToolNames, matchesTool, normaliseToolName, PLUGIN_GROUP, SANDBOX_ALLOW, SANDBOX_DENY, TOOL_PROFILES } from './tool-names.js';

/** Where the question is asked. */
export interface ToolPolicyOptions {
  /** The session runs in a sandbox. */
  readonly sandboxed: boolean;
  /** Provider of the model that answers. */
  readonly provider?: string;
  /** Tools that plugins register. */
  readonly pluginTools?: readonly string[];
}

/** What one set of rules says about a tool. */
export interface ToolVerdict {
  /** Place in the configuration, for example `tools` or `agents.list.ops.tools`. */
  readonly layer: string;
  readonly verdict: 'allowed' | 'denied' | 'not_listed';
  /** The entry that matched. */
  readonly by?: string;
}

/** Why a tool may or may not be used: every set of rules in order; one that does not allow it is enough to refuse. */
export interface ToolExplanation {
  readonly tool: string;
  readonly allowed: boolean;
  readonly layers: readonly ToolVerdict[];
}

export interface ToolPolicy {
  isAllowed(name: string): boolean;
  explain(name: string): ToolExplanation;
}

interface Layer {
  readonly name: string;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/**
 * The tools of one agent. A tool must pass every set of rules: profile, `tools`, the agent's, each also for the provider, and inside a
 * sandbox the sandbox's. In each, deny goes first, an empty allow list allows everything, and otherwise the tool has to match it.
 */
export function resolveToolPolicy(config: TenantConfig, agentId: string, options: ToolPolicyOptions): ToolPolicy {
  const layers = layersOf(config, agentId, options);
  const explain = (name: string): ToolExplanation => {
    const tool = normaliseToolName(name);
    const verdicts = layers.map((layer) => judge(layer, tool));
    return { tool, allowed: tool !== '' && verdicts.every(({ verdict }) => verdict === 'allowed'), layers: verdicts };
  };
  return { explain, isAllowed: (name) => explain(name).allowed };
}

/** The same rules as plain lists, groups expanded, for whoever decides elsewhere: a tool must pass each. Sets that allow everything are left out. */
export function toolRules(
  config: TenantConfig,
  agentId: string,
  options: ToolPolicyOptions,
): { readonly allow: readonly string[]; readonly deny: readonly string[] }[] {
  return layersOf(config, agentId, options)
    .filter(({ allow, deny }) => allow.length > 0 || deny.length > 0)
    .map(({ allow, deny }) => ({ allow, deny }));
}

function judge({ name, allow, deny }: Layer, tool: string): ToolVerdict {
  const refused = deny.find((pattern) => matchesTool(pattern, tool));
  if (refused !== undefined) return { layer: name, verdict: 'denied', by: refused };
  if (allow.length === 0) return { layer: name, verdict: 'allowed' };
  const by = allow.find((pattern) => matchesTool(pattern, tool));
  return by === undefined ? { layer: name, verdict: 'not_listed' } : { layer: name, verdict: 'allowed', by };
}

function layersOf(config: TenantConfig, agentId: string, options: ToolPolicyOptions): Layer[] {
  const agent = findAgent(config, agentId);
  const global: AgentToolsConfig = config.tools ?? {};
  const own: AgentToolsConfig = agent?.tools ?? config.agents.defaults?.tools ?? {};
  const ownName = agent?.tools === undefined ? 'agents.defaults.tools' : `agents.list.${agent.id}.tools`;
  const expand = (names: readonly string[] = []) => expandToolNames(names, options.pluginTools);
  const rules = (name: string, of: Pick<AgentToolsConfig, 'allow' | 'deny' | 'alsoAllow'>): Layer => {
    const allow = keepsCoreTools(of.allow ?? [], options.pluginTools ?? []) ? expand(of.allow) : [];
    return { name, allow: allow.length === 0 ? [] : [...allow, ...expand(of.alsoAllow)], deny: expand(of.deny) };
  };
  const profile = (name: string, chosen: keyof typeof TOOL_PROFILES, also: readonly string[]): Layer => {
    const allow = expand(TOOL_PROFILES[chosen]);
    return { name, allow: allow.length === 0 ? [] : [...allow, ...expand(also)], deny: [] };
  };

  const also = [...(global.alsoAllow ?? []), ...(own.alsoAllow ?? [])];
  const layers = [profile('profile', own.profile ?? global.profile ?? 'full', also), rules('tools', global), rules(ownName, own)];
  const provider = options.provider?.trim().toLowerCase();
  if (provider !== undefined) {
    const forGlobal = ofProvider(global, provider);
    const forOwn = ofProvider(own, provider);
    const narrower = forOwn?.profile ?? forGlobal?.profile;
    if (narrower !== undefined)
      layers.push(profile(`profile of ${provider}`, narrower, [...also, ...(forGlobal?.alsoAllow ?? []), ...(forOwn?.alsoAllow ?? [])]));
    if (forGlobal !== undefined) layers.push(rules(`tools.byProvider.${provider}`, forGlobal));
    if (forOwn !== undefined) layers.push(rules(`${ownName}.byProvider.${provider}`, forOwn));
  }
  if (options.sandboxed) layers.push(sandboxLayer(config, global, own, expand));
  return layers;
}

function ofProvider(tools: AgentToolsConfig, provider: string) {
  return tools.byProvider !== undefined && Object.hasOwn(tools.byProvider, provider) ? tools.byProvider[provider] : undefined;
}

/** An allow list that names only tools of plugins would switch off every other tool by accident; whoever wrote it meant `alsoAllow`. */
function keepsCoreTools(allow: readonly string[], pluginTools: readonly string[]): boolean {
  const ofPlugins = new Set([PLUGIN_GROUP, ...pluginTools.map(normaliseToolName)]);
  return allow.some((entry) => !ofPlugins.has(normaliseToolName(entry)) || CORE_TOOLS.has(normaliseToolName(entry)));
}

/** Lists of the agent replace global ones, which replace the default; allow and deny each for themselves. */
function sandboxLayer(config: TenantConfig, global: AgentToolsConfig, own: AgentToolsConfig, expand: (names: readonly string[]) => string[]): Layer {
  const chosen = (list: 'allow' | 'deny') => own.sandbox?.tools?.[list] ?? global.sandbox?.tools?.[list];
  const channels = [...BUILT_IN_CHANNELS, ...Object.keys(config.channels ?? {})];
  const allow = expand(chosen('allow') ?? SANDBOX_ALLOW);
  const deny = expand(chosen('deny') ?? [...SANDBOX_DENY, ...channels]);
  // Looking at a picture harms nothing. An empty list already allows it, and adding it there would forbid everything else.
  const withImage = allow.length > 0 && !allow.includes('image') ? [...allow, 'image'] : allow;
  return { name: 'sandbox', allow: withImage, deny };
}
