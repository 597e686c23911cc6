import { FakeClock } from '@plexus/kernel';
import { BUILT_IN, ManagePolicies } from './manage-policies.js';
import type { PolicyStore, StoredPolicy } from './policy-ports.js';
import type { ReplayResult } from './replay-result.js';

const draft: StoredPolicy = { ...BUILT_IN, version: 1, state: 'draft' };

describe('the activation of a policy', () => {
  const policies = (coverage: object, activated: number[]) => {
    const store = {
      get: async () => draft,
      active: async () => undefined,
      activate: async (_tenant: string, { version }: { version: number }) => {
        activated.push(version);
        return { ...draft, state: 'active', activatedSeq: 7 };
      },
    } as unknown as PolicyStore;
    const replay = { criticalRegressionCount: 0, criticalRegressions: [], coverage } as unknown as ReplayResult;
    const report = { passed: true, total: 0, failures: [] } as never;
    return new ManagePolicies(
      store,
      () => report,
      async () => replay,
      { positionOf: async () => 7 },
      new FakeClock(0),
    );
  };
  const span = { from: '2026-11-20T00:00:00.000Z', to: '2026-11-21T00:00:00.000Z', inputs: 10, partitions: 12 };

  it('is refused when the log could not be looked through as a whole, with what was and what to do', async () => {
    const activated: number[] = [];
    await expect(policies({ ...span, complete: false }, activated).activate('acme', 'root', 1, 24)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('replayHours'),
      details: { version: 1, coverage: span },
    });
    expect(activated).toEqual([]);
  });

  it('goes through when nothing of it speaks against it', async () => {
    const activated: number[] = [];
    await policies({ ...span, complete: true }, activated).activate('acme', 'root', 1, 24);
    expect(activated).toEqual([1]);
  });
});
