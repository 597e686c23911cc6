import type { PlatformConfig, TenantConfig } from '@plexus/agent-config';

/** What changed: the platform document, or that of one tenant. */
export type ConfigChange = { readonly kind: 'platform' } | { readonly kind: 'tenant'; readonly tenant: string };

/** One version of a tenant's configuration: a frozen object that never changes, so that whatever is decided with it is decided with one version. */
export interface ConfigSnapshot {
  readonly config: TenantConfig;
  /** Of the tenant's document in PLEXUS_CONFIG; 0 when it has none. */
  readonly revision: number;
}

/** Configuration of the platform and its tenants, always the last valid version of each document. */
export interface TenantDirectory {
  /** A tenant's configuration with defaults filled in; nothing for a tenant that the platform does not declare. */
  get(tenant: string): TenantConfig | undefined;
  /** The same with its revision. Take it once per message and decide everything with it. */
  snapshot(tenant: string): ConfigSnapshot | undefined;
  /** Revision that is in force; 0 for a tenant without a document. */
  revisionOf(tenant: string): number;
  /** True when the platform declares this tenant. */
  has(tenant: string): boolean;
  platform(): PlatformConfig;
  /** Calls back after each applied change. Returns how to stop that. */
  onChange(fn: (change: ConfigChange) => void): () => void;
}
