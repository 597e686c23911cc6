import type { TenantConfig } from '../schema/tenant-config.js';

/** How many runs of each kind may be active at once; at least 1 each. */
export interface Lanes {
  readonly main: number;
  readonly subagent: number;
  readonly cron: number;
}

/** Concurrency of the lanes: `lanes`, else the older places `agents.defaults` and `cron`, else 4, 8 and 1. */
export function resolveLanes(config: TenantConfig): Lanes {
  const { lanes, cron } = config;
  const { defaults } = config.agents;
  return {
    main: Math.max(1, lanes?.main ?? defaults?.maxConcurrent ?? 4),
    subagent: Math.max(1, lanes?.subagent ?? defaults?.subagents?.maxConcurrent ?? 8),
    cron: Math.max(1, lanes?.cron ?? cron?.maxConcurrent ?? 1),
  };
}
