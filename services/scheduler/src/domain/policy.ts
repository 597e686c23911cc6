/** Time limits of the life of a VM, in milliseconds. */
export interface VmPolicy {
  /** Longest stay in `requested`. */
  readonly requestedMs: number;
  readonly provisionMs: number;
  readonly bootMs: number;
  readonly leaseMs: number;
  readonly suspectMs: number;
  readonly drainMs: number;
  readonly pauseMs: number;
  readonly stopMs: number;
  /** Without a run or a caller for so long a VM is stopped; its workspace stays. */
  readonly idleMs: number;
  /** A paused VM that nobody asked for in so long is terminated. */
  readonly retentionMs: number;
  /** An incarnation older than this is replaced as soon as it has no run. */
  readonly maxLifeMs: number;
  /** Ready for so long, an incarnation no longer counts as part of a crash loop. */
  readonly stableMs: number;
  /** Starts without ever becoming ready before the VM is given up. */
  readonly maxAttempts: number;
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** A node that cannot be reached is waited for this long beyond `stopMs` before its VM is ended by force. */
  readonly unreachableMs: number;
  /** An incarnation that still has runs this long after its maximum life is drained. */
  readonly lifeGraceMs: number;
}

/** Defaults for the local provider. */
export const LOCAL_POLICY: VmPolicy = {
  requestedMs: 30_000,
  provisionMs: 60_000,
  bootMs: 30_000,
  leaseMs: 30_000,
  suspectMs: 30_000,
  drainMs: 120_000,
  pauseMs: 60_000,
  stopMs: 15_000,
  idleMs: 30 * 60_000,
  retentionMs: 7 * 24 * 3_600_000,
  maxLifeMs: 24 * 3_600_000,
  stableMs: 60_000,
  maxAttempts: 6,
  backoffBaseMs: 1_000,
  backoffCapMs: 30_000,
  unreachableMs: 5 * 60_000,
  lifeGraceMs: 5 * 60_000,
};

/** A runtime that hears nothing kills its tools this long after it sent the last acknowledged beat (vm-protocol). */
const RUNTIME_TOOL_KILL_MS = 50_000;
/** Leases are written at most this much later than the beat that moved them. */
export const LEASE_BATCH_MS = 5_000;

/**
 * A successor may only start when its predecessor has certainly stopped its tools. Returns the sentence to refuse to start with, or
 * undefined when the numbers hold.
 */
export function fencingProblem(policy: Pick<VmPolicy, 'leaseMs' | 'suspectMs'>): string | undefined {
  const earliest = policy.leaseMs + policy.suspectMs - LEASE_BATCH_MS;
  if (RUNTIME_TOOL_KILL_MS < earliest) return undefined;
  return `a runtime stops its tools ${RUNTIME_TOOL_KILL_MS} ms after its last beat, but a successor could start after ${earliest} ms: lease + suspect must exceed ${
    RUNTIME_TOOL_KILL_MS + LEASE_BATCH_MS
  } ms`;
}
