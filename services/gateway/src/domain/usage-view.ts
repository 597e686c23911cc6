import type { ReplyOf, vmContracts } from '@plexus/contracts';

/** What models used, in the shapes of the gateway protocol. Prices are not configured here: every call counts as one whose cost is not known. */

export type UsageRow = ReplyOf<typeof vmContracts.usageByDay>['rows'][number];

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

/** The days that are meant, first and last one. */
export function usagePeriod(
  {
    startDate,
    endDate,
    days = DEFAULT_DAYS,
  }: { readonly startDate?: string | undefined; readonly endDate?: string | undefined; readonly days?: number | undefined },
  now: number,
): { readonly from: string; readonly to: string; readonly days: number } {
  const to = endDate ?? dayOf(now);
  const from = startDate ?? dayOf(Date.parse(to) - (days - 1) * DAY_MS);
  return { from, to, days: Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1) };
}

export function totalsOf(rows: readonly UsageRow[]) {
  const all = sum(rows, ({ tokensIn }) => tokensIn);
  const output = sum(rows, ({ tokensOut }) => tokensOut);
  const cacheRead = sum(rows, (row) => row.cacheRead ?? 0);
  const cacheWrite = sum(rows, (row) => row.cacheWrite ?? 0);
  return {
    // Clients add the four up.
    ...{ input: Math.max(0, all - cacheRead - cacheWrite), output, cacheRead, cacheWrite, totalTokens: all + output },
    ...{ totalCost: 0, inputCost: 0, outputCost: 0, cacheReadCost: 0, cacheWriteCost: 0 },
    missingCostEntries: sum(rows, ({ calls }) => calls),
  };
}

/** Day by day, the oldest first. */
export function dailyOf(rows: readonly UsageRow[]) {
  return groupsOf(rows, ({ day }) => day)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([date, ofDay]) => ({ date, ...totalsOf(ofDay) }));
}

export function byModelOf(rows: readonly UsageRow[]) {
  return groupsOf(rows, ({ model }) => model).map(([model, ofModel]) => ({
    ...(model.includes('/') && { provider: model.slice(0, model.indexOf('/')) }),
    model,
    count: sum(ofModel, ({ calls }) => calls),
    totals: totalsOf(ofModel),
  }));
}

/** Session by session, the one that was used last first. */
export function bySessionOf(rows: readonly UsageRow[]) {
  return groupsOf(rows, ({ sessionId }) => sessionId)
    .map(([sessionId, ofSession]) => ({
      sessionId,
      updatedAt: Math.max(...ofSession.map(({ lastAt }) => Date.parse(lastAt))),
      usage: { ...totalsOf(ofSession), daily: dailyOf(ofSession) },
    }))
    .sort((one, other) => other.updatedAt - one.updatedAt);
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function sum(rows: readonly UsageRow[], of: (row: UsageRow) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}

function groupsOf(rows: readonly UsageRow[], nameOf: (row: UsageRow) => string): [string, UsageRow[]][] {
  const groups = new Map<string, UsageRow[]>();
  for (const row of rows) {
    const group = groups.get(nameOf(row));
    if (group === undefined) groups.set(nameOf(row), [row]);
    else group.push(row);
  }
  return [...groups];
}
