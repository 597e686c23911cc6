import type { TenantDirectory } from '@plexus/service-kit';
import type { AgentViews } from '../../application/vm/vm-ports.js';
import { agentCard, agentSettings } from '../../domain/agent-view.js';

/** Agents of the tenants' configurations, as far as agents may see them. */
export class DirectoryAgents implements AgentViews {
  constructor(private readonly directory: TenantDirectory) {}

  view(tenant: string, agentId: string, which: 'own' | 'card'): Readonly<Record<string, unknown>> | undefined {
    const snapshot = this.directory.snapshot(tenant);
    if (snapshot === undefined) return undefined;
    const view = which === 'own' ? agentSettings(snapshot.config, agentId) : agentCard(snapshot.config, agentId);
    return view === undefined ? undefined : { ...view, revision: snapshot.revision };
  }
}
