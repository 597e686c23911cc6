import fc from 'fast-check';
import { Histogram } from '../src/load/histogram.js';
import { drawKind, LOAD_KINDS, MIX, planArrivals } from '../src/load/mix.js';
import { Random } from '../src/random.js';
import { between, replaceBetween } from '../src/report/markers.js';

describe('the histogram', () => {
  it('knows every percentile to within 2 % and never says less than it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const histogram = new Histogram();
          for (const value of values) histogram.record(value);
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number;
          const told = histogram.percentile(share);
          expect(told).toBeGreaterThanOrEqual(exact - 0.001);
          expect(told).toBeLessThanOrEqual(exact * 1.02 + 0.001);
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });

  it('is the same whether values come into one, or into two that are merged', () => {
    const [one, left, right] = [new Histogram(), new Histogram(), new Histogram()];
    for (let value = 1; value <= 1_000; value += 1) {
      one.record(value * 0.37);
      (value % 2 === 0 ? left : right).record(value * 0.37);
    }
    left.merge(right);
    expect(left.toJSON()).toEqual(one.toJSON());
    expect([left.count, left.max]).toEqual([1_000, 370]);
    expect(left.mean).toBeCloseTo(one.mean);
  });

  it('says 0 without any value', () => {
    expect([new Histogram().percentile(0.99), new Histogram().mean, new Histogram().count]).toEqual([0, 0, 0]);
  });
});

describe('the mix', () => {
  it('is complete, and drawn in its shares', () => {
    expect(Object.values(MIX).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    const random = new Random(1);
    const drawn = Array.from({ length: 20_000 }, () => drawKind(random.next()));
    for (const kind of LOAD_KINDS) expect(Math.abs(drawn.filter((one) => one === kind).length / drawn.length - MIX[kind])).toBeLessThan(0.01);
  });

  it('arrives at the asked rate, in order, the same for the same seed', () => {
    const plan = planArrivals(new Random(7), 200, 30_000, 10);
    expect(plan).toEqual(planArrivals(new Random(7), 200, 30_000, 10));
    expect(Math.abs(plan.length / 6_000 - 1)).toBeLessThan(0.05);
    expect(plan.every(({ atMs }, at) => at === 0 || atMs >= (plan[at - 1]?.atMs ?? 0))).toBe(true);
    expect(new Set(plan.map(({ user }) => user)).size).toBe(10);
  });
});

describe('generated parts of documents', () => {
  it('are replaced between their markers, and only there', () => {
    const text = 'before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter';
    const next = replaceBetween(text, 'x', 'new');
    expect(between(next, 'x')).toBe('new');
    expect(next.startsWith('before\n') && next.endsWith('\nafter')).toBe(true);
    expect(() => replaceBetween(text, 'y', '')).toThrow('markers');
  });
});
