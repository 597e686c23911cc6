import { plexusError, routingContracts as routing, vmContracts as vm } from '@plexus/contracts';
import { byModelOf, bySessionOf, dailyOf, totalsOf, usagePeriod, type UsageRow } from '../../domain/usage-view.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

/** Rows of one answer: the longest that there may be fit into a message of the bus. And how many answers are asked for. */
const PAGE_ROWS = 1_000;
const MAX_PAGES = 10;
const DEFAULT_SESSIONS = 50;
const SESSIONS_PAGE = 500;

/** What models used in the caller's sessions, as the scheduler keeps it; an administrator sees the whole tenant. */
export const usageMethods: Pick<MethodHandlers, 'usage.cost' | 'sessions.usage'> = {
  'usage.cost': async (wanted, call) => {
    const now = call.services.now();
    const { from, to, days } = usagePeriod(wanted, now);
    const { rows, more } = await rowsOf({ from, to }, call);
    return { updatedAt: now, startDate: from, endDate: to, days, daily: dailyOf(rows), totals: totalsOf(rows), ...(more && { truncated: true }) };
  },

  'sessions.usage': async ({ key, limit = DEFAULT_SESSIONS, ...wanted }, call) => {
    const now = call.services.now();
    const { from, to } = usagePeriod(wanted, now);
    const only = key === undefined ? undefined : await sessionOf(key, call);
    const { rows, more } = await rowsOf({ from, to, ...(only === undefined ? {} : { sessionId: only.sessionId }) }, call);
    const known = only === undefined ? (await call.ask(routing.listSessions, { limit: SESSIONS_PAGE })).sessions : [only];
    const sessions = bySessionOf(rows).slice(0, limit);
    return {
      updatedAt: now,
      ...{ startDate: from, endDate: to },
      // What was used before a reset, or by others of the tenant, is named by the id of its conversation.
      sessions: sessions.map(({ sessionId, ...used }) => {
        const session = known.find((one) => one.sessionId === sessionId);
        return {
          key: session?.sessionKey ?? sessionId,
          sessionId,
          ...(session === undefined ? {} : { agentId: session.agentId }),
          ...(session?.label === undefined ? {} : { label: session.label }),
          ...used,
        };
      }),
      totals: totalsOf(rows),
      aggregates: { byModel: byModelOf(rows), daily: dailyOf(rows) },
      ...(more && { truncated: true }),
    };
  },
};

/** Everything of these days, the newest first; `more` when it is too much: then the oldest days are missing. */
async function rowsOf(
  { from, to, ...which }: { readonly from: string; readonly to: string; readonly sessionId?: string },
  call: MethodCall,
): Promise<{ readonly rows: readonly UsageRow[]; readonly more: boolean }> {
  const all: UsageRow[] = [];
  for (let pages = 1, until = to; ; pages += 1) {
    const { rows, more } = await call.ask(vm.usageByDay, { ...which, from, to: until, limit: PAGE_ROWS });
    const oldest = rows.at(-1)?.day;
    // There may be more of the oldest day of a full page: it is asked for again, as the newest one of the next.
    const isLast = !more || pages === MAX_PAGES || oldest === undefined || oldest === rows[0]?.day;
    for (const row of rows) if (isLast || row.day !== oldest) all.push(row);
    if (isLast) return { rows: all, more };
    until = oldest;
  }
}

async function sessionOf(key: string, call: MethodCall): Promise<routing.SessionSummary> {
  const { sessionKey, session } = await call.ask(routing.describeSession, { sessionKey: key });
  if (session === undefined) throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
  return session;
}
