import fc from 'fast-check';
import { describeFault, FAULT_KINDS, planFaults, type ScheduleInput } from '../src/faults/schedule.js';
import { Random } from '../src/random.js';

const input = (seed: number, durationMs = 600_000): ScheduleInput => ({
  random: new Random(seed),
  durationMs,
  replicas: ['gateway-1', 'gateway-2', 'push-1', 'push-2'],
  databaseReplicas: ['push-1', 'push-2'],
  natsNodes: 3,
  slow: 2,
  everyMs: 12_000,
});

describe('the schedule of faults', () => {
  it('is the same for the same seed, and another one for another', () => {
    expect(planFaults(input(7))).toEqual(planFaults(input(7)));
    expect(planFaults(input(7))).not.toEqual(planFaults(input(8)));
  });

  it('has every kind once before any comes twice, in order of time, with an end in which all of them have an "after"', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (seed) => {
        const planned = planFaults(input(seed));
        expect(new Set(planned.slice(0, FAULT_KINDS.length).map(({ kind }) => kind)).size).toBe(Math.min(planned.length, FAULT_KINDS.length));
        expect(planned.every(({ atMs }, at) => at === 0 || atMs > (planned[at - 1]?.atMs ?? 0))).toBe(true);
        expect(planned.at(-1)?.atMs).toBeLessThan(600_000 * 0.88);
        expect(planned.filter(({ kind }) => kind.includes('database')).every(({ target }) => target.startsWith('push'))).toBe(true);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('can be limited to some kinds, and is printed one line each', () => {
    const planned = planFaults({ ...input(1, 60_000), kinds: ['kill-nats', 'delay-clients'] });
    expect(new Set(planned.map(({ kind }) => kind))).toEqual(new Set(['kill-nats', 'delay-clients']));
    for (const fault of planned) expect(describeFault(fault)).toMatch(/^ +\d+\.\d s {2}(kill-nats|delay-clients) +\S+ {2}for \d/);
  });
});
