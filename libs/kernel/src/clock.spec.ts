import { systemClock } from './clock.js';
import { FakeClock } from './fake-clock.js';

describe('system clock', () => {
  it('ends a sleep at once when the signal aborts', async () => {
    const controller = new AbortController();
    const sleep = systemClock.sleep(60_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(sleep).rejects.toMatchObject({ name: 'AbortError', cause: { message: 'enough' } });
    await expect(systemClock.sleep(60_000, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('does not fire a timer of several weeks at once', async () => {
    let fired = false;
    const timer = systemClock.setTimeout(() => {
      fired = true;
    }, 2 ** 40);
    await systemClock.sleep(20);
    timer.cancel();
    expect(fired).toBe(false);
  });

  it('takes a negative wait for none', async () => {
    await systemClock.sleep(-5);
    expect(systemClock.monotonic()).toBeGreaterThan(0);
  });
});

describe('fake clock', () => {
  it('fires timers in order of their time, then of their making', async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.setTimeout(() => fired.push('b'), 20);
    clock.setTimeout(() => fired.push('a'), 10);
    clock.setTimeout(() => fired.push('c'), 20);
    clock.setTimeout(() => fired.push('never'), 15).cancel();
    await clock.advance(9);
    expect(fired).toEqual([]);
    await clock.advance(11);
    expect(fired).toEqual(['a', 'b', 'c']);
    expect(clock.pending).toBe(0);
  });

  it('runs the whole chain of waits that one advance covers', async () => {
    const clock = new FakeClock(0);
    const seen: number[] = [];
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(100);
        seen.push(clock.now());
      }
    })();
    await clock.advance(1_000);
    await loop;
    expect(seen).toEqual([100, 200, 300]);
    expect(clock.now()).toBe(1_000);
  });

  it('steps the wall clock without touching durations', () => {
    const clock = new FakeClock(1_000);
    clock.stepWallClock(-400);
    expect([clock.now(), clock.monotonic()]).toEqual([600, 0]);
  });

  it('refuses to go back', async () => {
    await expect(new FakeClock().advance(-1)).rejects.toThrow('-1');
  });

  it('forgets a sleep that was aborted', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort();
    await expect(sleep).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
  });
});
