import { byModelOf, bySessionOf, dailyOf, totalsOf, usagePeriod, type UsageRow } from './usage-view.js';

const NOW = Date.parse('2026-11-22T23:30:00Z');
const row = (day: string, sessionId: string, model: string, tokens: number): UsageRow => ({
  ...{ day, sessionId, model, calls: 2, tokensIn: tokens, tokensOut: 1, lastAt: `${day}T10:00:00.000Z` },
});
const ROWS = [row('2026-11-22', 's1', 'big/one', 10), row('2026-11-21', 's1', 'small', 5), row('2026-11-21', 's2', 'big/one', 7)];

describe('what was used', () => {
  it.each([
    [{}, { from: '2026-10-24', to: '2026-11-22', days: 30 }],
    [{ days: 1 }, { from: '2026-11-22', to: '2026-11-22', days: 1 }],
    [{ startDate: '2026-11-01' }, { from: '2026-11-01', to: '2026-11-22', days: 22 }],
    [
      { endDate: '2026-03-01', days: 2 },
      { from: '2026-02-28', to: '2026-03-01', days: 2 },
    ],
    [
      { startDate: '2026-11-30', endDate: '2026-11-01' },
      { from: '2026-11-30', to: '2026-11-01', days: 0 },
    ],
  ])('%j means %j', (wanted, period) => {
    expect(usagePeriod(wanted, NOW)).toEqual(period);
  });

  it('tells what endpoints had cached apart from the rest of the input', () => {
    const [first, ...rest] = ROWS as [UsageRow, ...UsageRow[]];
    const totals = totalsOf([{ ...first, cacheRead: 6, cacheWrite: 1 }, ...rest]);
    expect(totals).toMatchObject({ input: 15, cacheRead: 6, cacheWrite: 1, output: 3, totalTokens: 25 });
  });

  it('is added up in all, by day, by model and by session; what it cost is not known', () => {
    expect(totalsOf(ROWS)).toMatchObject({ input: 22, output: 3, totalTokens: 25, totalCost: 0, missingCostEntries: 6 });
    expect(dailyOf(ROWS).map(({ date, input }) => [date, input])).toEqual([
      ['2026-11-21', 12],
      ['2026-11-22', 10],
    ]);
    expect(byModelOf(ROWS).map(({ provider, model, count, totals }) => [provider, model, count, totals.input])).toEqual([
      ['big', 'big/one', 4, 17],
      [undefined, 'small', 2, 5],
    ]);
    expect(bySessionOf(ROWS).map(({ sessionId, usage }) => [sessionId, usage.totalTokens, usage.daily.length])).toEqual([
      ['s1', 17, 2],
      ['s2', 8, 1],
    ]);
    expect([totalsOf([]).totalTokens, dailyOf([]), bySessionOf([])]).toEqual([0, [], []]);
  });
});
