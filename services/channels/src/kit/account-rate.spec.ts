import { FakeClock } from '@plexus/kernel';
import { AccountRate } from './account-rate.js';

describe('the calls of one account', () => {
  const signal = new AbortController().signal;

  it('are spread evenly over the second', async () => {
    const clock = new FakeClock();
    const rate = new AccountRate(10, clock);
    const startedAt = clock.monotonic();
    const times: number[] = [];
    const turns = Promise.all([1, 2, 3].map(() => rate.turn(signal).then(() => times.push(clock.monotonic() - startedAt))));
    await clock.advance(1_000);
    await turns;
    expect(times).toEqual([0, 100, 200]);
  });

  it('wait out a short pause that the platform asked for, and fail at once for a long one', async () => {
    const clock = new FakeClock();
    const rate = new AccountRate(10, clock);
    rate.pause(2_000);
    const turn = rate.turn(signal);
    await clock.advance(2_000);
    expect(await turn).toBe(0);
    rate.pause(60_000);
    expect(await rate.turn(signal)).toBe(60_000);
  });
});
