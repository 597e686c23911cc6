import fc from 'fast-check';
import { Deadline } from './deadline.js';
import { FakeClock } from './fake-clock.js';
import { timeout, withTimeout } from './timeout.js';

describe('deadline', () => {
  it('counts down and never below zero', async () => {
    const clock = new FakeClock();
    const deadline = Deadline.in(100, clock);
    await clock.advance(60);
    expect([deadline.remainingMs(), deadline.expired]).toEqual([40, false]);
    await clock.advance(1_000);
    expect([deadline.remainingMs(), deadline.expired]).toEqual([0, true]);
  });

  it('survives the way through a header within a millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000 }), fc.integer({ min: 0, max: 2e12 }), (ms, startedAt) => {
        const clock = new FakeClock(startedAt);
        const back = Deadline.fromHeader(Deadline.in(ms, clock).toHeader(), clock);
        expect(Math.abs((back?.remainingMs() ?? Number.NaN) - ms)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('ignores headers that are no plausible instant', () => {
    const clock = new FakeClock();
    for (const header of [undefined, null, '', 'soon', '-1', '1e9', '99999999999999999', String(clock.now() + 25 * 3_600_000)]) {
      expect(Deadline.fromHeader(header, clock)).toBeUndefined();
    }
    expect(Deadline.fromHeader('0', clock)?.expired).toBe(true);
  });

  it('does not move with the wall clock', () => {
    const clock = new FakeClock();
    const deadline = Deadline.in(100, clock);
    clock.stepWallClock(1_000_000);
    expect(deadline.remainingMs()).toBe(100);
  });

  it('aborts its signal when due, and at once when it is over', async () => {
    const clock = new FakeClock();
    const deadline = Deadline.in(10, clock);
    expect(deadline.signal.aborted).toBe(false);
    await clock.advance(10);
    expect(deadline.signal.reason).toMatchObject({ code: 'TIMEOUT', status: 504, retryable: true });
    expect(Deadline.in(-5, clock).signal.aborted).toBe(true);
  });

  it('gives a nested call the shorter time and releases its timer on request', () => {
    const clock = new FakeClock();
    const deadline = Deadline.in(100, clock);
    expect(deadline.within(1_000).remainingMs()).toBe(100);
    expect(deadline.within(30).remainingMs()).toBe(30);
    void deadline.signal;
    deadline.dispose();
    expect(clock.pending).toBe(0);
  });

  it('refuses NaN', () => {
    expect(() => Deadline.in(Number.NaN)).toThrow('NaN');
  });
});

describe('timeout', () => {
  it('of a process that stood still looks at what has arrived meanwhile before it gives up', async () => {
    const waiting = timeout(new Promise((resolve) => setImmediate(() => resolve('arrived'))), 50);
    for (const until = performance.now() + 600; performance.now() < until; );
    await expect(waiting).resolves.toBe('arrived');
    const vain = timeout(new Promise(() => undefined), 50);
    for (const until = performance.now() + 600; performance.now() < until; );
    await expect(vain).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('says what took too long, with the code of the caller', async () => {
    const clock = new FakeClock();
    const waiting = timeout(new Promise(() => undefined), 50, { clock, what: 'model', code: 'MODEL_UNAVAILABLE' });
    const outcome = expect(waiting).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: 'The model took longer than 50 ms.',
      details: { timeoutMs: 50 },
    });
    await clock.advance(50);
    await outcome;
  });

  it('passes value and error through and leaves no timer behind', async () => {
    const clock = new FakeClock();
    await expect(timeout(Promise.resolve(1), 50, { clock })).resolves.toBe(1);
    await expect(timeout(Promise.reject(new Error('x')), 50, { clock })).rejects.toThrow('x');
    expect(clock.pending).toBe(0);
  });

  it('ends with the caller, whether they gave up before or during the wait', async () => {
    const controller = new AbortController();
    const waiting = timeout(new Promise(() => undefined), 60_000, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await expect(timeout(Promise.resolve(1), 10, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('stops the work when the time is up', async () => {
    const clock = new FakeClock();
    let stopped = false;
    const waiting = withTimeout(
      (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            stopped = true;
            reject(new Error('late, and nobody listens'));
          }),
        ),
      10,
      { clock },
    );
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'TIMEOUT' });
    await clock.advance(10);
    await outcome;
    expect(stopped).toBe(true);
  });

  it('rejects when the work throws at once', async () => {
    await expect(
      withTimeout(() => {
        throw new Error('sync');
      }, 10),
    ).rejects.toThrow('sync');
  });
});
