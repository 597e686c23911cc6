import type { PlatformConfig, TenantConfig } from '@plexus/agent-config';

/** What changed: the platform document, or that of one tenant. */
export type ConfigChange = { readonly kind: 'platform' } | { readonly kind: 'tenant'; readonly tenant: string };

/** Configuration of the platform and its tenants, always the last valid version of each document. */
export interface TenantDirectory {
  /** A tenant's configuration with defaults filled in; nothing for a tenant that the platform does not declare. */
  get(tenant: string): TenantConfig | undefined;
  /** True when the platform declares this tenant. */
  has(tenant: string): boolean;
  platform(): PlatformConfig;
  /** Calls back after each applied change. Returns how to stop that. */
  onChange(fn: (change: ConfigChange) => void): () => void;
}
