import { plexusError, pushTriggersContracts as push } from '@plexus/contracts';
import { agentIdOf } from '@plexus/routing-core';
import { actionOf, changedAction, jobOf, timingOf } from '../../domain/cron-job.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

type CronMethods = Pick<MethodHandlers, Extract<keyof MethodHandlers, `cron.${string}`>>;

const PAGE = 200;
/** More jobs than this are not listed; nobody reads them in a terminal. */
const MAX_JOBS = 2_000;

/** Jobs that run by themselves are schedules of push; these methods show them as the protocol knows jobs. */
export const cronMethods: CronMethods = {
  'cron.list': async ({ includeDisabled, enabled, query, agentId, limit = 50, offset = 0 }, call) => {
    const wantsDisabled = enabled === undefined ? includeDisabled === true : enabled !== 'enabled';
    const jobs = (await allSchedules(call))
      .filter((one) => (one.enabled ? enabled !== 'disabled' : wantsDisabled))
      .filter((one) => query === undefined || one.name.toLowerCase().includes(query.toLowerCase()))
      .filter((one) => agentId === undefined || (one.action.kind === 'agent' && agentIdOf(one.action) === agentIdOf({ agentId })))
      .map(jobOf);
    const page = jobs.slice(offset, offset + limit);
    const hasMore = offset + page.length < jobs.length;
    const snapshotRevision = String(call.services.now());
    return {
      jobs: page,
      snapshotRevision,
      total: jobs.length,
      offset,
      limit,
      hasMore,
      nextOffset: hasMore ? offset + page.length : null,
      deliveryPreviews: {},
    };
  },

  'cron.status': async (_params, call) => {
    const schedules = await allSchedules(call);
    const next = schedules.flatMap(({ nextAt, enabled }) => (enabled && nextAt !== undefined ? [Date.parse(nextAt)] : []));
    return { enabled: true, jobs: schedules.length, ...(next.length > 0 ? { nextWakeAtMs: Math.min(...next) } : {}) };
  },

  'cron.get': async (params, call) => {
    return jobOf(await scheduleOf(idOf(params), call));
  },

  'cron.runs': async ({ limit = 50, offset = 0, ...named }, call) => {
    const wanted = named.id ?? named.jobId;
    const schedules = wanted === undefined ? (await allSchedules(call)).map(({ id }) => id).slice(0, 20) : [wanted];
    const entries = (
      await Promise.all(
        schedules.map(async (id) => (await call.ask(push.scheduleRuns, { id, limit: Math.min(PAGE, offset + limit) })).runs.map((run) => entryOf(id, run))),
      )
    )
      .flat()
      .sort((a, b) => b.ts - a.ts);
    const page = entries.slice(offset, offset + limit);
    return { entries: page, total: entries.length, offset, limit, hasMore: offset + page.length < entries.length, nextOffset: null };
  },

  'cron.add': async (job, call) => {
    const place = call.services.tenants.defaultAgent(call.connection.principal.tenant);
    const { schedule } = await call.ask(push.createSchedule, {
      name: job.name,
      ...timingOf(job.schedule),
      action: actionOf(job, place),
      ...(job.enabled === undefined ? {} : { enabled: job.enabled }),
    });
    return jobOf(schedule);
  },

  'cron.update': async ({ patch, ...named }, call) => {
    const place = call.services.tenants.defaultAgent(call.connection.principal.tenant);
    const id = idOf(named);
    const action = changedAction((await scheduleOf(id, call)).action, patch, place);
    const { schedule } = await call.ask(push.updateSchedule, {
      id,
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.enabled === undefined ? {} : { enabled: patch.enabled }),
      ...(patch.schedule === undefined ? {} : timingOf(patch.schedule)),
      ...(action === undefined ? {} : { action }),
    });
    return jobOf(schedule);
  },

  'cron.remove': async (params, call) => {
    const { removed } = await call.ask(push.removeSchedule, { id: idOf(params) });
    return { ok: true, removed };
  },

  'cron.run': async (params, call) => {
    const { state, runId } = await call.ask(push.runSchedule, { id: idOf(params) });
    return { ok: true, ran: state === 'fired', enqueued: state === 'fired', ...(runId === undefined ? {} : { runId }) };
  },
};

async function scheduleOf(wanted: string, call: MethodCall): Promise<push.Schedule> {
  const found = (await allSchedules(call)).find(({ id }) => id === wanted);
  if (found === undefined) throw plexusError('NOT_FOUND', { message: 'there is no such job' });
  return found;
}

async function allSchedules(call: MethodCall): Promise<push.Schedule[]> {
  const found: push.Schedule[] = [];
  let after: string | undefined;
  do {
    const page = await call.ask(push.listSchedules, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    found.push(...page.schedules);
    after = page.next;
  } while (after !== undefined && found.length < MAX_JOBS);
  return found;
}

function entryOf(
  jobId: string,
  { firedAt, state, reason, runId }: { firedAt: string; state: 'fired' | 'skipped'; reason?: string | undefined; runId?: string | undefined },
) {
  const ts = Date.parse(firedAt);
  return {
    ts,
    jobId,
    action: 'finished',
    status: state === 'fired' ? 'ok' : 'skipped',
    runAtMs: ts,
    ...(reason === undefined ? {} : { summary: reason }),
    ...(runId === undefined ? {} : { runId }),
  };
}

function idOf({ id, jobId }: { id?: string | undefined; jobId?: string | undefined }): string {
  const wanted = id ?? jobId;
  if (wanted === undefined) throw plexusError('INVALID_REQUEST', { message: 'needs id' });
  return wanted;
}
