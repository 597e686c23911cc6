/** Work that one replica at a time does: whoever holds a job has a token, and every write of the job is refused once that token is no longer the newest. */
export interface JobStore {
  /** Takes or keeps a job for `ttlMs`. Undefined: somebody else has it. */
  acquire(name: string, ttlMs: number): Promise<number | undefined>;
  /** Gives a job back before its time: whoever wants it next, on any replica, gets it at once. */
  release(name: string, token: number): Promise<void>;
}

export interface PoolStore {
  /** Brings every pool to its size, and retires members that are surplus or outdated. Returns the VMs to look at, and the sizes. Does nothing with an old token. */
  fill(
    token: number,
    newVmId: () => string,
  ): Promise<{ readonly touched: readonly { readonly tenant: string; readonly vmId: string }[]; readonly ready: number; readonly desired: number }>;
}

export interface WorkspaceStore {
  /** VMs that are over for longer than `afterMs`, whose workspace is on this host. */
  expired(provider: string, hostId: string, afterMs: number, limit: number): Promise<readonly string[]>;
  removed(vmId: string): Promise<void>;
  /** Those that no row knows, of any state. */
  unrecorded(vmIds: readonly string[]): Promise<readonly string[]>;
}

export const POOLS_JOB = 'pools';
export const PRUNE_JOB = 'prune';
