import { isPlainValue, type McpServerConfig, type McpValue, resolveMcpServers, resolveRunSettings, type TenantConfig } from '@plexus/agent-config';
import type { Result } from '@plexus/kernel';
import { MCP_ENVIRONMENT_PURPOSE, type McpServerEntry, sealBox } from '@plexus/vm-protocol';
import { agentOffer, skillIndex } from '../domain/session-offer.js';
import type { SkillSummary } from '../domain/skill-manifest.js';
import type { FrameBatch, IncarnationKey } from './ports.js';

type Frame = FrameBatch['frames'][number]['frame'];

/** What a stored `config_update` asks to be filled in when it leaves. */
export type Refreshed = 'skill_index' | 'mcp_servers';

export interface SessionSettingsSources {
  readonly configOf: (tenant: string) => TenantConfig | undefined;
  readonly skillsOf: (tenant: string) => Promise<readonly SkillSummary[]>;
  readonly resolveValues: (tenant: string, place: string, values: Readonly<Record<string, McpValue>>) => Result<Record<string, string>, string>;
  /** Secrets that the incarnation may have been given: while the root secret is changed there are two. */
  readonly bootstrapSecrets: (key: IncarnationKey) => readonly string[];
}

/**
 * Fills frames that are about to leave for a VM with what the configuration says now: settings of the agent, its skills, its MCP servers. What
 * is stored names the agent alone, so that a frame which waited for its VM is never out of date, and no database holds a secret of a server.
 */
export class SessionSettings {
  constructor(private readonly sources: SessionSettingsSources) {}

  /** `mayHoldSecrets`: the VM has its bootstrap secret from us; a runtime of somebody else's gets no secret of the tenant. */
  async attach(key: IncarnationKey, tenant: string, frame: Frame, mayHoldSecrets: boolean): Promise<Frame> {
    const config = this.sources.configOf(tenant);
    if (config === undefined) return frame;
    const seal = mayHoldSecrets ? key : undefined;
    if (frame.type === 'start_session') return this.start(config, tenant, frame, seal);
    return frame.type === 'config_update' ? this.update(config, tenant, frame, seal) : frame;
  }

  private async start(config: TenantConfig, tenant: string, frame: Frame, seal: IncarnationKey | undefined): Promise<Frame> {
    const data = frame.data as { readonly session_id: string; readonly agent_id: string; readonly agent_config?: object; readonly session_config?: object };
    const { runtime, maxTurns } = resolveRunSettings(config, data.agent_id);
    return {
      ...frame,
      data: {
        ...data,
        runtime_type: runtime,
        agent_config: { ...data.agent_config, ...agentOffer(config, data.agent_id) },
        session_config: { ...data.session_config, ...(maxTurns !== undefined && { max_turns: maxTurns }) },
        skill_index: skillIndex(await this.sources.skillsOf(tenant), config, data.agent_id),
        mcp_servers: this.servers(config, tenant, data.agent_id, data.session_id, seal),
      },
    };
  }

  private async update(config: TenantConfig, tenant: string, frame: Frame, seal: IncarnationKey | undefined): Promise<Frame> {
    const { refresh, agent_id: agentId, ...rest } = frame as Frame & { readonly refresh?: readonly Refreshed[]; readonly agent_id?: string };
    const data = rest.data as { readonly session_id?: string };
    if (refresh === undefined || agentId === undefined || data.session_id === undefined) return frame;
    return {
      ...rest,
      data: {
        ...data,
        ...(refresh.includes('skill_index') && { skill_index: skillIndex(await this.sources.skillsOf(tenant), config, agentId) }),
        ...(refresh.includes('mcp_servers') && { mcp_servers: this.servers(config, tenant, agentId, data.session_id, seal) }),
      },
    };
  }

  private servers(config: TenantConfig, tenant: string, agentId: string, sessionId: string, seal: IncarnationKey | undefined): McpServerEntry[] {
    return resolveMcpServers(config, agentId).map(([name, server]) => {
      const limits = { ...(server.timeoutMs !== undefined && { timeout_ms: server.timeoutMs }) };
      if (server.url !== undefined) return { name, transport: 'remote', args: [], env: {}, ...limits };
      return { name, transport: 'stdio', ...limits, ...this.program(tenant, name, server, sessionId, seal) };
    });
  }

  /** Plain values go as they are, the others sealed; a reference that leads nowhere keeps this server away and nothing else. */
  private program(tenant: string, name: string, server: McpServerConfig, sessionId: string, seal: IncarnationKey | undefined) {
    const { command = '', args = [], env = {}, startTimeoutMs } = server;
    const entries = Object.entries(env);
    const plain = Object.fromEntries(entries.filter((entry): entry is [string, string] => isPlainValue(entry[1])));
    const referring = Object.fromEntries(entries.filter(([, value]) => !isPlainValue(value)));
    const entry = { command, args, env: plain, ...(startTimeoutMs !== undefined && { start_timeout_ms: startTimeoutMs }) };
    if (Object.keys(referring).length === 0) return entry;
    if (seal === undefined) return { ...entry, fault: 'its secrets are not given to a runtime of somebody else' };
    const resolved = this.sources.resolveValues(tenant, `mcp.servers.${name}.env`, referring);
    if (!resolved.ok) return { ...entry, fault: resolved.error };
    const text = JSON.stringify(resolved.value);
    const { vmId, epoch } = seal;
    const address = { vmId, epoch, purpose: MCP_ENVIRONMENT_PURPOSE, name: `${sessionId}/${name}` };
    return { ...entry, sealed_env: this.sources.bootstrapSecrets({ vmId, epoch }).map((secret) => sealBox(secret, address, text)) };
  }
}
