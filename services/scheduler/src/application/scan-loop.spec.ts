import { waitFor } from '@plexus/testing';
import { hurriedClock } from '../../test/support/hurried-clock.js';
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
  it('works on a VM once at a time, also when the work outlives its claim', async () => {
    let finish = (): void => undefined;
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const seen = { claims: 0, started: 0 };
    const nothing = async (): Promise<undefined> => undefined;
    const store = {
      pulse: async () => false,
      claimDue: async () => {
        seen.claims += 1;
        return ['vm-1'];
      },
      noteHostsDown: async () => [],
      countByState: async () => new Map(),
      oldestBeatMs: async () => 0,
      releaseAll: nothing,
    };
    const reconcile = (): Promise<void> => {
      seen.started += 1;
      return work;
    };
    const loop = new ScanLoop({
      store,
      jobs: { acquire: nothing },
      log: { info: nothing, error: nothing, warn: nothing },
      providers: { all: [] },
      beatHosts: nothing,
      workspaceRetentionMs: 1,
      reconciler: { reconcile },
      runs: { tick: nothing },
      clock: hurriedClock(20),
      isConnected: () => true,
      onCounts: nothing,
      onPools: nothing,
    } as unknown as ScanLoopParts);
    loop.start();
    await waitFor(() => seen.claims >= 2, { timeoutMs: 30_000, what: 'the VM to be claimed again' });
    expect(seen.started).toBe(1);
    finish();
    await waitFor(() => seen.started >= 2, { timeoutMs: 30_000, what: 'it to be looked at again once the work is done' });
    await loop.stop();
  });

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
      clock: hurriedClock(20),
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

  it('stops every VM of its host and waits for each, also when one of them cannot be stopped in order', async () => {
    const parked: string[] = [];
    const problems: object[] = [];
    let finish = (): void => undefined;
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const ended: string[] = [];
    const key = (vmId: string) => ({ vmId, epoch: 1 });
    const provider = {
      name: 'local',
      kind: 'local',
      hostId: 'host-1',
      list: async () => [key('vm-3'), key('vm-4')],
      destroy: async ({ vmId }: { vmId: string }) => {
        if (vmId === 'vm-3') throw new Error('no such process');
        await slow;
        ended.push(vmId);
      },
    };
    const park = async (vmId: string): Promise<void> => {
      if (vmId === 'vm-1') throw new Error('the database is away');
      await slow;
      parked.push(vmId);
    };
    const loop = new ScanLoop({
      store: { present: async () => [key('vm-1'), key('vm-2')] },
      providers: new ProviderRegistry([provider as unknown as VmProvider]),
      reconciler: { park },
      log: { error: (fields: object) => void problems.push(fields) },
    } as unknown as ScanLoopParts);
    let isOver = false;
    const parking = loop.parkAll().then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    finish();
    await parking;
    expect([parked, ended]).toEqual([['vm-2'], ['vm-4']]);
    expect(problems).toMatchObject([{ vmId: 'vm-1' }, { vmId: 'vm-3' }]);
  });
});
