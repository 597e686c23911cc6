import type { VmPolicy } from './policy.js';

const JITTER = 0.2;

/** Wait before start number `failed + 1`: about 1, 2, 4, 8, 16 s (±20 %), capped. `random` is 0 ≤ n < 1. */
export function startBackoff(failed: number, policy: VmPolicy, random: number): number {
  const exact = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.max(0, failed - 1));
  return Math.round(exact * (1 - JITTER + 2 * JITTER * random));
}

/** Wait before an incarnation that died while ready is replaced: nothing the first time, then as {@link startBackoff}. `earlier` counts the crashes before this one. */
export function crashBackoff(earlier: number, policy: VmPolicy, random: number): number {
  return earlier === 0 ? 0 : startBackoff(earlier, policy, random);
}
