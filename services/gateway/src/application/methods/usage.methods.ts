import { plexusError, routingContracts as routing, vmContracts as vm } from '@plexus/contracts';
import { byModelOf, bySessionOf, dailyOf, totalsOf, usagePeriod } from '../../domain/usage-view.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

const MAX_ROWS = 5_000;
const DEFAULT_SESSIONS = 50;
const SESSIONS_PAGE = 500;

/** What models used in the caller's sessions, as the scheduler keeps it; an administrator sees the whole tenant. */
export const usageMethods: Pick<MethodHandlers, 'usage.cost' | 'sessions.usage'> = {
  'usage.cost': async (wanted, call) => {
    const now = call.services.now();
    const { from, to, days } = usagePeriod(wanted, now);
    const { rows, more } = await call.ask(vm.usageByDay, { from, to, limit: MAX_ROWS });
    return { updatedAt: now, startDate: from, endDate: to, days, daily: dailyOf(rows), totals: totalsOf(rows), ...(more && { truncated: true }) };
  },

  'sessions.usage': async ({ key, limit = DEFAULT_SESSIONS, ...wanted }, call) => {
    const now = call.services.now();
    const { from, to } = usagePeriod(wanted, now);
    const only = key === undefined ? undefined : await sessionOf(key, call);
    const { rows, more } = await call.ask(vm.usageByDay, { from, to, limit: MAX_ROWS, ...(only === undefined ? {} : { sessionId: only.sessionId }) });
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

async function sessionOf(key: string, call: MethodCall): Promise<routing.SessionSummary> {
  const { sessionKey, session } = await call.ask(routing.describeSession, { sessionKey: key });
  if (session === undefined) throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
  return session;
}
