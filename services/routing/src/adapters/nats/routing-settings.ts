import type { TenantConfig } from '@plexus/agent-config';
import { ulid } from '@plexus/kernel';
import type { TenantSettings, TenantSnapshot } from '../../application/tenant-settings.js';

/** What the handlers need beside their use cases. */
export class RoutingSettings {
  constructor(
    private readonly settings: TenantSettings,
    readonly runTimeoutMs: number,
  ) {}

  /** One version of the tenant's configuration, for everything about one call. Throws UNKNOWN_TENANT. */
  snapshotOf(tenant: string): TenantSnapshot {
    return this.settings.get(tenant);
  }

  /** Throws UNKNOWN_TENANT. */
  configOf(tenant: string): TenantConfig {
    return this.settings.get(tenant).config;
  }

  newId(): string {
    return ulid();
  }
}
