import { LIMITS } from '@plexus/vm-protocol';
import { FENCE_LIMITS, fenceStage } from './fence.js';

describe('fence', () => {
  it('holds back more the longer the mesh is silent', () => {
    expect([0, 29_999, 30_000, 44_999, 45_000, 49_999, 50_000, 599_999, 600_000].map((ms) => fenceStage(ms))).toEqual([
      'open',
      'open',
      'no-new-work',
      'no-new-work',
      'stop-tools',
      'stop-tools',
      'kill-tools',
      'kill-tools',
      'exit',
    ]);
  });

  it('has nothing with effects left when a successor may start', () => {
    // Lease 30 s and suspect grace 30 s, written in batches of up to 5 s.
    const successorMs = 30_000 + 30_000 - 5_000;
    expect(FENCE_LIMITS.killToolsMs).toBeLessThan(successorMs);
    expect(FENCE_LIMITS.noNewWorkMs).toBe(LIMITS.fenceNewWorkMs);
  });
});
