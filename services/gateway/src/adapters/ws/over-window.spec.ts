import { FakeClock } from '@plexus/kernel';
import { overWindow } from './over-window.js';

describe('what is done over a window', () => {
  async function run(items: number, windowMs: number, abortAtMs?: number) {
    const clock = new FakeClock();
    const startedAt = clock.monotonic();
    const stop = new AbortController();
    const turns: { item: number; at: number }[] = [];
    const all = Array.from({ length: items }, (_, index) => index);
    let over = false;
    const running = overWindow(all, windowMs, (item) => turns.push({ item, at: clock.monotonic() - startedAt }), clock, stop.signal).then(() => {
      over = true;
    });
    for (let ms = 0; ms <= windowMs + 100 && !over; ms += 5) {
      if (abortAtMs !== undefined && ms >= abortAtMs) stop.abort();
      await clock.advance(5);
    }
    await running;
    expect(turns.map(({ item }) => item)).toEqual(all);
    return turns;
  }

  it('happens in order and evenly, the first at once and the last before its end', async () => {
    const turns = await run(10, 1_000);
    expect(turns[0]?.at).toBeLessThanOrEqual(5);
    for (const { item, at } of turns) {
      expect(at).toBeGreaterThanOrEqual(item * 100 - 1);
      expect(at).toBeLessThanOrEqual(item * 100 + 30);
    }
  });

  it('happens in groups when there are more items than steps', async () => {
    const turns = await run(1_000, 200);
    for (const window of [50, 100, 150]) {
      const done = turns.filter(({ at }) => at <= window).length;
      expect(done).toBeGreaterThan(window * 3);
      expect(done).toBeLessThan(window * 7);
    }
  });

  it('happens at once without a window, without items, and for those who are left when there is no more time', async () => {
    expect((await run(5, 0)).every(({ at }) => at === 0)).toBe(true);
    expect(await run(0, 1_000)).toEqual([]);
    const turns = await run(10, 1_000, 300);
    expect(turns.filter(({ at }) => at <= 320)).toHaveLength(10);
    expect(turns.filter(({ at }) => at < 250).length).toBeLessThan(5);
  });
});
