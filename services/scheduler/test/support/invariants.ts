import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isTerminal } from '../../src/domain/vm-state.js';
import { histories, play } from './histories.js';
import { OWNERS } from './world.js';

const owners = Array.from({ length: OWNERS }, (_, owner) => owner);

/** The invariants of the scheduler, over `numRuns` generated histories each. `PLEXUS_SEED` draws others; a failure prints its seed. */
export function describeInvariants(numRuns: number): void {
  const parameters = { numRuns };

  describe(`A19: decide, under every interleaving of three replicas with ${numRuns} generated histories of crashes and faults`, () => {
    it('I1–I5, I8, I9, I11–I15: one VM, one incarnation, growing epochs, listed edges, no orphan, no effect of the past, nothing killed without a reason', () => {
      fc.assert(
        fc.property(histories, (history) => void play(history)),
        parameters,
      );
    });

    it('I6: every VM ends within two minutes of the wish, once faults stop', () => {
      fc.assert(
        fc.property(histories, (history) => {
          const world = play(history);
          for (const row of world.vms)
            if (!isTerminal(row.state)) Object.assign(row, { desired: 'terminated', nextActionAt: world.now, rowVersion: row.rowVersion + 1 });
          expect(world.settle(120_000, () => world.vms.every((row) => isTerminal(row.state)))).toBe(true);
          expect(world.running).toEqual([]);
          expect(world.runs.every((run) => run.ends.length === 1)).toBe(true);
        }),
        parameters,
      );
    });

    it('I7: a wanted VM becomes ready, once faults stop, whatever happened before', () => {
      fc.assert(
        fc.property(histories, (history) => {
          const world = play(history);
          // Room under the quota, and nobody who wants something else.
          for (const owner of owners.slice(1)) world.want(owner, 'terminate');
          world.want(0, 'undrain');
          const settled = world.settle(420_000, () => {
            if (world.liveRow(0)?.state !== 'ready' || world.liveRow(0)?.desired !== 'running') world.ensure(0);
            return world.liveRow(0)?.state === 'ready' && world.liveRow(0)?.desired === 'running';
          });
          expect([settled, world.liveRow(0)]).toEqual([true, expect.objectContaining({ state: 'ready' })]);
        }),
        parameters,
      );
    });
  });
}
