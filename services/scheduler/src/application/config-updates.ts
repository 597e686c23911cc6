import { isDeepStrictEqual } from 'node:util';
import { namedAgentIds, resolveMcpServers, resolveModel, resolveSystemPrompt, type TenantConfig } from '@plexus/agent-config';
import type { MeshFrameOf } from '@plexus/vm-protocol';
import { agentOffer } from '../domain/session-offer.js';
import type { Hints } from './ports.js';
import type { Refreshed } from './session-settings.js';

type AgentSettings = NonNullable<MeshFrameOf<'config_update'>['data']['agent_config']>;

/** What running sessions of an agent are told. `null` takes a setting back. */
export interface AgentUpdate {
  readonly agentId: string;
  readonly settings: AgentSettings;
  /** Lists that are filled in when the frame leaves. */
  readonly refresh?: readonly Refreshed[];
}

export interface ConfigUpdateStore {
  /**
   * Puts a `config_update` into the outbox of every running incarnation for each session of these agents that it has, unless one of this
   * revision (or a later one) is there already: every replica of the scheduler does this. Returns the VMs that have something new.
   */
  queue(tenant: string, revision: number, updates: readonly AgentUpdate[]): Promise<string[]>;
  /** The same for every running session of the tenant, whatever was queued before. */
  queueForAll(tenant: string, refresh: readonly Refreshed[]): Promise<string[]>;
}

/** Tells running VMs what has changed for the agents of their sessions. Runs carry their own settings; this is what a session falls back to. */
export class ConfigUpdates {
  readonly #store: ConfigUpdateStore;
  readonly #hints: Pick<Hints, 'out'>;

  constructor(store: ConfigUpdateStore, hints: Pick<Hints, 'out'>) {
    this.#store = store;
    this.#hints = hints;
  }

  /** May be repeated: what was queued is not queued again. */
  async apply(change: {
    readonly tenant: string;
    readonly before: TenantConfig | undefined;
    readonly after: TenantConfig;
    readonly revision: number;
  }): Promise<void> {
    const updates = changedAgents(change.before, change.after);
    if (updates.length === 0) return;
    const vms = await this.#store.queue(change.tenant, change.revision, updates);
    for (const vmId of vms) this.#hints.out(change.tenant, vmId);
  }

  /** Skills were uploaded or deleted: every running session of the tenant gets its index anew. */
  async skillsChanged(tenant: string): Promise<void> {
    for (const vmId of await this.#store.queueForAll(tenant, ['skill_index'])) this.#hints.out(tenant, vmId);
  }
}

/** Agents of whose settings something changed, wherever it comes from. One that is gone keeps what its sessions have: they end with their runs. */
export function changedAgents(before: TenantConfig | undefined, after: TenantConfig): AgentUpdate[] {
  return namedAgentIds(after).flatMap((agentId) => {
    const known = before !== undefined && namedAgentIds(before).includes(agentId) ? before : undefined;
    const offer = changedOffer(known, after, agentId);
    const refresh = changedLists(known, after, agentId);
    const settings = settingsOf(after, agentId);
    const isSame = known !== undefined && isDeepStrictEqual(settingsOf(known, agentId), settings) && Object.keys(offer).length === 0 && refresh.length === 0;
    return isSame ? [] : [{ agentId, settings: { ...settings, ...offer }, ...(refresh.length > 0 && { refresh }) }];
  });
}

function settingsOf(config: TenantConfig, agentId: string): AgentSettings {
  return { system_prompt: resolveSystemPrompt(config, agentId) ?? null, model: resolveModel(config, agentId).model ?? null };
}

/** What else changed of the agent's settings; `null` takes one back. */
function changedOffer(before: TenantConfig | undefined, after: TenantConfig, agentId: string): Record<string, unknown> {
  const earlier: Record<string, unknown> = before === undefined ? {} : { ...agentOffer(before, agentId) };
  const now: Record<string, unknown> = { ...agentOffer(after, agentId) };
  const names = new Set([...Object.keys(earlier), ...Object.keys(now)]);
  return Object.fromEntries([...names].filter((name) => !isDeepStrictEqual(earlier[name], now[name])).map((name) => [name, now[name] ?? null]));
}

function changedLists(before: TenantConfig | undefined, after: TenantConfig, agentId: string): Refreshed[] {
  const skills = (config: TenantConfig | undefined) =>
    config && (config.agents.list.find(({ id }) => id === agentId)?.skills ?? config.agents.defaults?.skills);
  const servers = (config: TenantConfig | undefined) => (config === undefined ? [] : resolveMcpServers(config, agentId));
  return [
    ...(isDeepStrictEqual(skills(before), skills(after)) ? [] : (['skill_index'] as const)),
    ...(isDeepStrictEqual(servers(before), servers(after)) ? [] : (['mcp_servers'] as const)),
  ];
}
