import type { TenantDirectory } from '@plexus/service-kit';
import type { Tenants, TokenGrant } from '../../application/ports.js';

/** The tenants of the platform configuration. */
export class DirectoryTenants implements Tenants {
  /** Token digests of all tenants, made anew when the configuration changes. */
  private grants: ReadonlyMap<string, TokenGrant> | undefined;

  constructor(private readonly directory: TenantDirectory) {
    directory.onChange(() => {
      this.grants = undefined;
    });
  }

  has(tenant: string): boolean {
    return this.directory.has(tenant);
  }

  tokenBySha256(digest: string): TokenGrant | undefined {
    this.grants ??= this.collect();
    return this.grants.get(digest);
  }

  defaultAgent(tenant: string): { agentId: string; mainKey: string } {
    const config = this.directory.get(tenant);
    const agents = config?.agents.list ?? [];
    const agent = agents.find((candidate) => candidate.default === true) ?? agents[0];
    return { agentId: agent?.id ?? 'main', mainKey: config?.session.mainKey ?? 'main' };
  }

  private collect(): Map<string, TokenGrant> {
    const grants = new Map<string, TokenGrant>();
    for (const [tenant, { tokens }] of Object.entries(this.directory.platform().tenants)) {
      for (const { id, sha256, user, scopes, source, expiresAt } of tokens) {
        grants.set(sha256, { tenant, credentialId: id, user, scopes, source, expiresAt: expiresAt === undefined ? undefined : Date.parse(expiresAt) });
      }
    }
    return grants;
  }
}
