import type { TenantConfig } from '../schema/tenant-config.js';

export interface ReloadSettings {
  readonly mode: 'off' | 'restart' | 'hot' | 'hybrid';
  readonly debounceMs: number;
}

export const DEFAULT_RELOAD: ReloadSettings = Object.freeze({ mode: 'hybrid', debounceMs: 300 });

/** How changes are applied: `gateway.reload`, else hybrid after 300 ms of quiet. */
export function reloadSettings(config: Pick<TenantConfig, 'gateway'>): ReloadSettings {
  const { mode, debounceMs } = config.gateway?.reload ?? {};
  return { mode: mode ?? DEFAULT_RELOAD.mode, debounceMs: debounceMs ?? DEFAULT_RELOAD.debounceMs };
}
