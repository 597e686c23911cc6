import { nextDue } from '@plexus/agent-config';
import fc from 'fast-check';
import { type CatchUp, planFirings, type Timing } from './plan-firings.js';

const at = (text: string): number => Date.parse(text);
const iso = (times: readonly { dueAt: number }[]): string[] => times.map(({ dueAt }) => new Date(dueAt).toISOString());
const SKIP: CatchUp = { mode: 'skip', max: 10 };
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Every due time in `[from, to]`. */
function dueTimes(timing: Timing, from: number, to: number): number[] {
  const times: number[] = [];
  for (let next = nextDue(timing, from - 1); next !== undefined && next <= to; next = nextDue(timing, next)) times.push(next);
  return times;
}

const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Asia/Shanghai', 'Africa/Cairo');
const timing: fc.Arbitrary<Timing> = fc.oneof(
  fc.record({ everyMs: fc.integer({ min: 1_000, max: 3 * DAY }), timeZone: fc.constant('UTC') }),
  fc.record({
    cron: fc
      .tuple(
        fc.integer({ min: 0, max: 59 }),
        fc.constantFrom('*', '2', '3', '*/6', '23'),
        fc.constantFrom('*', '29', '31', '1-5'),
        fc.constantFrom('*', '2', '3,10'),
      )
      .map(([minute, hour, day, month]) => `${minute} ${hour} ${day} ${month} *`),
    timeZone: zone,
  }),
);
const start = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-12-31T00:00:00Z') });

describe('what a schedule does when it is looked at', () => {
  it('fires what is on time, skips what was missed, and says so', () => {
    const daily = { cron: '0 9 * * *', timeZone: 'Europe/Berlin' };
    const due = at('2026-11-21T08:00:00Z');
    expect(planFirings(daily, SKIP, due, due + 30_000)).toEqual({ firings: [{ dueAt: due, trigger: 'due' }], nextAt: due + DAY });
    expect(planFirings(daily, SKIP, due, due + 3 * DAY + MINUTE)).toEqual({
      firings: [],
      skipped: { lastDueAt: due + 3 * DAY, count: 4 },
      nextAt: due + 4 * DAY,
    });
    expect(planFirings(daily, SKIP, due, due - 1)).toEqual({ firings: [], nextAt: due });
  });

  it('catches up the last one, or the newest ones up to a bound', () => {
    const hourly = { everyMs: 3_600_000, timeZone: 'UTC' };
    const due = at('2026-11-21T08:00:00Z');
    const now = due + 5 * 3_600_000 + 2 * MINUTE;
    expect(planFirings(hourly, { mode: 'latest', max: 10 }, due, now).firings).toEqual([{ dueAt: due + 5 * 3_600_000, trigger: 'caught_up' }]);
    const all = planFirings(hourly, { mode: 'all', max: 3 }, due, now);
    expect(iso(all.firings)).toEqual(['2026-11-21T11:00:00.000Z', '2026-11-21T12:00:00.000Z', '2026-11-21T13:00:00.000Z']);
    expect(all.skipped).toEqual({ lastDueAt: due + 2 * 3_600_000, count: 3 });
  });

  it('looks at a bounded number of due times after an outage of a year', () => {
    const secondly = { cron: '* * * * * *', timeZone: 'Europe/Berlin' };
    const now = at('2026-11-21T08:00:00.500Z');
    const plan = planFirings(secondly, { mode: 'all', max: 100 }, now - 365 * DAY, now);
    expect(plan.firings).toHaveLength(105);
    expect(plan.firings.at(-1)).toEqual({ dueAt: now - 500, trigger: 'due' });
    expect(plan.skipped?.count).toBeGreaterThan(0);
  });

  it('obeys daylight saving: a time that does not exist is due right after the gap, one that exists twice once', () => {
    const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    const gap = dueTimes(berlin, at('2026-03-28T12:00:00Z'), at('2026-03-30T12:00:00Z')).map((time) => new Date(time).toISOString());
    expect(gap).toHaveLength(2);
    expect(at(gap[0] as string)).toBeGreaterThanOrEqual(at('2026-03-29T01:00:00Z'));
    expect(at(gap[0] as string)).toBeLessThanOrEqual(at('2026-03-29T01:30:00Z'));
    expect(gap[1]).toBe('2026-03-30T00:30:00.000Z');
    const twice = dueTimes(berlin, at('2026-10-24T12:00:00Z'), at('2026-10-26T12:00:00Z'));
    expect(twice).toHaveLength(2);
  });

  it('knows leap days', () => {
    const leap = { cron: '0 0 29 2 *', timeZone: 'UTC' };
    expect(planFirings(leap, SKIP, at('2028-02-29T00:00:00Z'), at('2028-02-29T00:00:01Z'))).toEqual({
      firings: [{ dueAt: at('2028-02-29T00:00:00Z'), trigger: 'due' }],
      nextAt: at('2032-02-29T00:00:00Z'),
    });
    expect(nextDue({ cron: '0 0 30 2 *', timeZone: 'UTC' }, at('2026-01-01T00:00:00Z'))).toBeUndefined();
  });

  it('is due once a day wherever the pattern names one time of the day', () => {
    fc.assert(
      fc.property(zone, fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), start, (timeZone, hour, minute, from) => {
        const times = dueTimes({ cron: `${minute} ${hour} * * *`, timeZone }, from, from + 20 * DAY);
        const day = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
        const days = times.map((time) => day.format(time));
        expect(new Set(days).size).toBe(days.length);
        expect(days.length).toBeGreaterThanOrEqual(19);
      }),
      { numRuns: 40 },
    );
  });

  it('however often and however late it is looked at: each due time fires at most once, on-time looks miss none, and what comes next is later', () => {
    const delays = fc.array(fc.integer({ min: 0, max: 4 * DAY }), { minLength: 1, maxLength: 8 });
    const catchUp = fc.record({ mode: fc.constantFrom('skip' as const, 'latest' as const, 'all' as const), max: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(timing, catchUp, start, delays, (when, missed, from, lates) => {
        let nextAt = nextDue(when, from);
        const fired: number[] = [];
        for (const late of lates) {
          if (nextAt === undefined) return;
          const now = nextAt + late;
          const plan = planFirings(when, missed, nextAt, now);
          const own = plan.firings.map(({ dueAt }) => dueAt);
          fired.push(...own);
          expect(own).toEqual([...own].sort((a, b) => a - b));
          for (const dueAt of own) expect([dueAt >= nextAt, dueAt <= now, nextDue(when, dueAt - 1) === dueAt]).toEqual([true, true, true]);
          if (late < 400) expect(own[0]).toBe(nextAt);
          if (missed.mode !== 'skip') expect(own.length).toBeGreaterThan(0);
          if (plan.nextAt !== undefined) expect(plan.nextAt).toBeGreaterThan(now);
          nextAt = plan.nextAt;
        }
        expect(new Set(fired).size).toBe(fired.length);
      }),
      { numRuns: 60 },
    );
  });
});
