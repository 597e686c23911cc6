import fc from 'fast-check';
import { fullJitter, retry, spread } from './backoff.js';
import { AbortedError, TransientError } from './error-classes.js';
import { FakeClock } from './fake-clock.js';
import { PlexusError } from './plexus-error.js';

const limits = { baseMs: 100, capMs: 5_000 };

describe('full jitter', () => {
  it('stays within 0 and the smaller of cap and base·2^attempt, for any input', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e308)),
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, baseMs, capMs, random) => {
          const wait = fullJitter(attempt, { baseMs, capMs, random: () => random });
          expect(Number.isInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(capMs);
          if (Number.isFinite(attempt) && attempt >= 0 && attempt < 40) expect(wait).toBeLessThanOrEqual(baseMs * 2 ** attempt);
        },
      ),
    );
  });

  it('reaches both ends of the interval', () => {
    expect(fullJitter(3, { ...limits, random: () => 0 })).toBe(0);
    expect(fullJitter(3, { ...limits, random: () => 0.999999 })).toBe(799);
    expect(fullJitter(60, { ...limits, random: () => 0.999999 })).toBe(4_999);
  });

  it('spreads an exact wait evenly around itself', () => {
    expect([spread(1_000, 0.1, () => 0), spread(1_000, 0.1, () => 0.5), spread(1_000, 0.1, () => 1)]).toEqual([900, 1_000, 1_100]);
  });
});

describe('retry', () => {
  const lost = (): TransientError => new TransientError('lost');

  it('tries again until it works, waiting in between', async () => {
    const clock = new FakeClock();
    const waits: number[] = [];
    const result = retry(async (attempt) => (attempt < 2 ? Promise.reject(lost()) : `after ${attempt}`), {
      ...limits,
      attempts: 5,
      clock,
      random: () => 0.5,
      onRetry: ({ waitMs }) => waits.push(waitMs),
    });
    await clock.advance(1_000);
    await expect(result).resolves.toBe('after 2');
    expect(waits).toEqual([50, 100]);
  });

  it('throws the last error when the budget is used up', async () => {
    let calls = 0;
    const failing = retry(
      () => {
        calls++;
        throw new TransientError(`no ${calls}`);
      },
      { ...limits, attempts: 3, random: () => 0 },
    );
    await expect(failing).rejects.toThrow('no 3');
  });

  it.each([
    ['a defect', new Error('bug')],
    ['an abort', new AbortedError()],
    ['an error that says so', new PlexusError({ code: 'NOT_FOUND', message: 'x', status: 404 })],
  ])('does not try again after %s', async (_, error) => {
    let calls = 0;
    const failing = retry(
      () => {
        calls++;
        throw error;
      },
      { ...limits, attempts: 5, isRetryable: error instanceof AbortedError ? () => true : undefined },
    );
    await expect(failing).rejects.toBe(error);
    expect(calls).toBe(1);
  });

  it('stops waiting when the caller gives up', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const waiting = retry(() => Promise.reject(lost()), { ...limits, attempts: 9, clock, signal: controller.signal });
    await clock.advance(0);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
    await expect(retry(() => 1, { ...limits, attempts: 1, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('refuses a budget of nothing', async () => {
    await expect(retry(() => 1, { ...limits, attempts: 0 })).rejects.toThrow('0');
  });
});
