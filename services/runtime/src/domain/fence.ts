import { LIMITS } from '@plexus/vm-protocol/link';

/**
 * How far a VM that cannot reach the mesh has to hold back. The numbers are measured from the moment the last answered heartbeat was
 * *sent*: the mesh may start a successor 55 s after it accepted that one, and by then nothing here may still have effects.
 */
export type FenceStage = 'open' | 'no-new-work' | 'stop-tools' | 'kill-tools' | 'exit';

export interface FenceLimits {
  readonly noNewWorkMs: number;
  readonly stopToolsMs: number;
  readonly killToolsMs: number;
  readonly exitMs: number;
}

export const FENCE_LIMITS: FenceLimits = {
  noNewWorkMs: LIMITS.fenceNewWorkMs,
  stopToolsMs: LIMITS.fenceToolsMs,
  killToolsMs: LIMITS.fenceKillMs,
  exitMs: LIMITS.fenceExitMs,
};

/** The stage after `silentMs` without an answered heartbeat. */
export function fenceStage(silentMs: number, limits: FenceLimits = FENCE_LIMITS): FenceStage {
  if (silentMs >= limits.exitMs) return 'exit';
  if (silentMs >= limits.killToolsMs) return 'kill-tools';
  if (silentMs >= limits.stopToolsMs) return 'stop-tools';
  return silentMs >= limits.noNewWorkMs ? 'no-new-work' : 'open';
}
