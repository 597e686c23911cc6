import { resolveLimits } from '@plexus/agent-config';
import type { TenantDirectory } from '@plexus/service-kit';
import type { Tenants, TokenGrant } from '../../application/ports.js';

/** The tenants of the platform configuration. */
export class DirectoryTenants implements Tenants {
  /** Token digests of all tenants, made anew when the configuration changes. */
  private grants: ReadonlyMap<string, TokenGrant> | undefined;
  /** Names of the signing keys of tenants that were asked for; made anew as well. */
  private readonly keys = new Map<string, readonly { readonly kid: string | undefined; readonly name: string }[]>();

  constructor(private readonly directory: TenantDirectory) {
    directory.onChange(() => {
      this.grants = undefined;
      this.keys.clear();
    });
  }

  has(tenant: string): boolean {
    return this.directory.has(tenant);
  }

  tokenBySha256(digest: string): TokenGrant | undefined {
    this.grants ??= this.collect();
    return this.grants.get(digest);
  }

  signingKey(tenant: string, kid: string | undefined): string | undefined {
    const keys = this.keysOf(tenant);
    if (kid === undefined) return keys.length === 1 ? keys[0]?.name : undefined;
    return keys.find((key) => key.kid === kid)?.name;
  }

  hasSigningKey(tenant: string, key: string): boolean {
    return this.keysOf(tenant).some(({ name }) => name === key);
  }

  defaultAgent(tenant: string): { agentId: string; mainKey: string } {
    const config = this.directory.get(tenant);
    const agents = config?.agents.list ?? [];
    const agent = agents.find((candidate) => candidate.default === true) ?? agents[0];
    return { agentId: agent?.id ?? 'main', mainKey: config?.session.mainKey ?? 'main' };
  }

  /** What the platform and the tenant allow one of its users over HTTP. */
  requestsPerMinute(tenant: string): number | undefined {
    const config = this.directory.get(tenant);
    return config === undefined ? undefined : resolveLimits(this.directory.platform(), tenant, config).requestsPerMinute;
  }

  private keysOf(tenant: string): readonly { readonly kid: string | undefined; readonly name: string }[] {
    let keys = this.keys.get(tenant);
    if (keys === undefined) {
      const declared = this.directory.has(tenant) ? this.directory.platform().tenants[tenant]?.keys : undefined;
      keys = (declared ?? []).map(({ kid, kty, crv, x, y, n, e }) => ({ kid, name: JSON.stringify([kid, kty, crv, x, y, n, e]) }));
      // An unknown tenant is not remembered: anybody can name one.
      if (declared !== undefined) this.keys.set(tenant, keys);
    }
    return keys;
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
