import type { TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';

/** What the handlers need beside their use cases. */
export class RoutingSettings {
  constructor(
    private readonly tenantConfig: (tenant: string) => TenantConfig | undefined,
    readonly runTimeoutMs: number,
  ) {}

  /** Throws UNKNOWN_TENANT. */
  configOf(tenant: string): TenantConfig {
    const config = this.tenantConfig(tenant);
    if (!config) throw plexusError('UNKNOWN_TENANT', { details: { tenant } });
    return config;
  }

  newId(): string {
    return ulid();
  }
}
