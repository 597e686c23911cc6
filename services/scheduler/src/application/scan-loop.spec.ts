import { systemClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import type { VmProvider } from './provider-port.js';
import { ProviderRegistry } from './provider-port.js';
import { ScanLoop, type ScanLoopParts } from './scan-loop.js';

/** A host whose workspaces take for ever to be removed. */
function stuckHost(): { readonly provider: VmProvider; readonly free: () => void } {
  let free = (): void => undefined;
  const stuck = new Promise<void>((resolve) => {
    free = resolve;
  });
  const provider = { name: 'stuck', kind: 'local', hostId: 'host-1', watch: () => undefined, list: async () => [], removeWorkspace: () => stuck };
  return { provider: provider as unknown as VmProvider, free };
}

describe('the scan loop', () => {
  it('claims and beats on while a chore takes its time, and starts none a second time', async () => {
    const { provider, free } = stuckHost();
    const seen = { claims: 0, pulses: 0, asked: 0, failures: 0 };
    const store = {
      pulse: async () => {
        seen.pulses += 1;
        return false;
      },
      claimDue: async () => {
        seen.claims += 1;
        return [];
      },
      noteHostsDown: async () => [],
      present: async () => [],
      countByState: async () => new Map(),
      oldestBeatMs: async () => 0,
      prune: async () => undefined,
      releaseAll: async () => undefined,
    };
    const jobs = {
      acquire: async () => undefined,
      expired: async () => {
        seen.asked += 1;
        return ['vm-1'];
      },
      removed: async () => undefined,
      release: async () => undefined,
    };
    const nothing = (): void => undefined;
    const log = {
      info: nothing,
      error: nothing,
      warn: ({ chore }: { chore?: string }) => {
        if (chore === 'hosts') seen.failures += 1;
      },
    };
    const loop = new ScanLoop({
      store,
      jobs,
      log,
      providers: new ProviderRegistry([provider]),
      hints: { wake: nothing },
      newVmId: () => 'vm-2',
      beatHosts: () => Promise.reject(new Error('the database is away')),
      workspaceRetentionMs: 1,
      reconciler: {},
      runs: { tick: async () => undefined },
      clock: systemClock,
      isConnected: () => true,
      onCounts: nothing,
      onPools: nothing,
      onReaped: nothing,
    } as unknown as ScanLoopParts);
    loop.start();
    await waitFor(() => seen.claims >= 3 && seen.pulses >= 2, { timeoutMs: 30_000, what: 'the loop to go on' });
    expect(seen.asked).toBe(1);
    expect(seen.failures).toBe(1);
    free();
    await loop.stop();
  });
});
