import { namedAgentIds, resolveModel, resolveSystemPrompt, type TenantConfig } from '@plexus/agent-config';
import type { MeshFrameOf } from '@plexus/vm-protocol';
import type { Hints } from './ports.js';

type AgentSettings = NonNullable<MeshFrameOf<'config_update'>['data']['agent_config']>;

/** What running sessions of an agent are told. `null` takes a setting back. */
export interface AgentUpdate {
  readonly agentId: string;
  readonly settings: AgentSettings;
}

export interface ConfigUpdateStore {
  /**
   * Puts a `config_update` into the outbox of every running incarnation for each session of these agents that it has, unless one of this
   * revision (or a later one) is there already: every replica of the scheduler does this. Returns the VMs that have something new.
   */
  queue(tenant: string, revision: number, updates: readonly AgentUpdate[]): Promise<string[]>;
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
}

/** Agents whose prompt or model changed, whatever setting it comes from. One that is gone keeps what its sessions have: they end with their runs. */
export function changedAgents(before: TenantConfig | undefined, after: TenantConfig): AgentUpdate[] {
  return namedAgentIds(after).flatMap((agentId) => {
    const settings = settingsOf(after, agentId);
    const earlier = before !== undefined && namedAgentIds(before).includes(agentId) ? settingsOf(before, agentId) : undefined;
    const isSame = earlier !== undefined && earlier.system_prompt === settings.system_prompt && earlier.model === settings.model;
    return isSame ? [] : [{ agentId, settings }];
  });
}

function settingsOf(config: TenantConfig, agentId: string): AgentSettings {
  return { system_prompt: resolveSystemPrompt(config, agentId) ?? null, model: resolveModel(config, agentId).model ?? null };
}
