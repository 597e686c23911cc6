import fc from 'fast-check';
import { LivedTime } from './lived-time.js';

describe('the time in which a process ran', () => {
  it('is that of the clock while turns come in time, and stands still over one that was held up', () => {
    const time = new LivedTime(1_000);
    const turns = [5_000, 6_000, 7_030, 8_010, 68_010, 69_010].map((now) => time.turn(now));
    expect(turns.map(({ lived }) => lived)).toEqual([0, 1_000, 2_030, 3_010, 3_010, 4_010]);
    expect(turns.map(({ heldUp }) => heldUp)).toEqual([false, false, false, false, true, false]);
  });

  it('goes on, slowly, in a process that is late all the time: who is gone is found all the same', () => {
    const time = new LivedTime(1_000);
    const turns = [0, 1_000, 6_000, 11_000, 16_000, 17_000, 25_000].map((now) => time.turn(now).lived);
    expect(turns).toEqual([0, 1_000, 1_000, 2_000, 3_000, 4_000, 4_000]);
  });

  it('property: never goes back, and is never more than the clock', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.array(fc.nat({ max: 100_000 })), (turnMs, steps) => {
        const time = new LivedTime(turnMs);
        let now = 0;
        let before = time.turn(now).lived;
        for (const step of steps) {
          now += step;
          const { lived } = time.turn(now);
          expect(lived).toBeGreaterThanOrEqual(before);
          expect(lived).toBeLessThanOrEqual(now);
          before = lived;
        }
      }),
    );
  });
});
