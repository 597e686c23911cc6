import { Reconciler, type ReconcilerParts } from './reconciler.js';
import type { VmSnapshot } from './ports.js';

const snapshot = (rowVersion: number, state = 'ready') =>
  ({
    rowVersion,
    owner: { tenant: 'acme', user: 'ada' },
    vm: { id: 'vm-1', state, desired: 'running', epoch: 1, generation: 1, observedGeneration: 1, openRuns: 0 },
    instance: { phase: 'running' },
    now: 0,
  }) as unknown as VmSnapshot;

describe('parking a VM', () => {
  it('is tried again when somebody moves the VM meanwhile: its end is never taken for one of its own', async () => {
    const committed: unknown[] = [];
    let rowVersion = 1;
    const store = {
      seize: async () => true,
      load: async () => snapshot(rowVersion),
      commit: async (given: VmSnapshot, decision: { patch: object }) => {
        committed.push([given.rowVersion, decision.patch]);
        rowVersion += 1;
        return rowVersion > 2; // false the first time
      },
    };
    const parts = {
      store,
      random: () => 0.5,
      replica: 'another: nothing more is done',
      providers: { has: () => false, default: { name: 'local' } },
      policy: {},
      hints: { wake: () => undefined },
      onTransition: () => undefined,
      log: { info: () => undefined },
    };
    await new Reconciler(parts as unknown as ReconcilerParts).park('vm-1');
    const parked = { state: 'stopping', stopTarget: 'paused', reason: { code: 'HOST_STOPPED' } };
    // The first time somebody else was faster.
    expect(committed).toMatchObject([
      [1, parked],
      [2, parked],
    ]);
  });
});
