import type { PlatformConfig, TenantLimits } from '../schema/platform-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';

/** The ceilings of a tenant: of the platform's and the tenant's own the lower one, each for itself; absent where neither sets any. */
export function resolveLimits(platform: PlatformConfig, tenant: string, config: Pick<TenantConfig, 'limits'>): TenantLimits {
  const granted: TenantLimits = Object.hasOwn(platform.tenants, tenant) ? (platform.tenants[tenant]?.limits ?? {}) : {};
  const limits: TenantLimits = { ...granted };
  for (const [name, wanted] of Object.entries(config.limits ?? {}) as [keyof TenantLimits, number | undefined][]) {
    if (wanted !== undefined) limits[name] = Math.min(wanted, granted[name] ?? wanted);
  }
  return limits;
}
