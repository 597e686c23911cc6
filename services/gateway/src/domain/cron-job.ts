import type { CronJobInput } from '@plexus/client-protocol';
import { plexusError, type pushTriggersContracts } from '@plexus/contracts';
import type { z } from 'zod';

type Schedule = pushTriggersContracts.Schedule;
type Timing = Pick<z.input<typeof pushTriggersContracts.createSchedule.data>, 'cron' | 'everyMs' | 'at' | 'timeZone'>;
/** The last moment with a year of four digits. */
const LATEST = Date.parse('9999-12-31T23:59:59.999Z');

type Action = z.input<typeof pushTriggersContracts.ScheduleAction>;

/** Where jobs of an agent speak that name no session of their own. */
export interface JobPlace {
  readonly agentId: string;
  readonly mainKey: string;
}

/** A schedule of the mesh as clients of the protocol know jobs. */
export function jobOf(schedule: Schedule): Record<string, unknown> {
  const { id, name, enabled, createdAt, nextAt, action } = schedule;
  const createdAtMs = Date.parse(createdAt);
  return {
    id,
    name,
    enabled,
    createdAtMs,
    updatedAtMs: createdAtMs,
    schedule: whenOf(schedule),
    ...(action.kind === 'agent' && action.agentId !== undefined ? { agentId: action.agentId } : {}),
    ...(action.kind === 'agent' && action.sessionKey !== undefined ? { sessionKey: action.sessionKey } : {}),
    sessionTarget: action.kind === 'agent' ? (action.sessionKey === undefined ? 'isolated' : `session:${action.sessionKey}`) : 'main',
    wakeMode: 'now',
    payload:
      action.kind === 'agent'
        ? { kind: 'agentTurn', message: action.message, timeoutSeconds: Math.round(action.timeoutMs / 1_000) }
        : { kind: 'systemEvent', text: action.summary },
    state: { ...(nextAt === undefined ? {} : { nextRunAtMs: Date.parse(nextAt) }) },
  };
}

function whenOf({ cron, everyMs, at, timeZone }: Schedule): Record<string, unknown> {
  if (at !== undefined) return { kind: 'at', at };
  return cron === undefined ? { kind: 'every', everyMs } : { kind: 'cron', expr: cron, tz: timeZone };
}

/** When a job of the protocol is due, in the words of the mesh. Refuses what only a process on the gateway's own machine could watch. */
export function timingOf(schedule: CronJobInput['schedule']): Timing {
  switch (schedule.kind) {
    case 'cron':
      return { cron: schedule.expr, ...(schedule.tz === undefined ? {} : { timeZone: schedule.tz }) };
    case 'every':
      return { everyMs: schedule.everyMs };
    case 'at':
      return { at: momentOf(schedule.at) };
    default:
      throw plexusError('INVALID_REQUEST', { message: `schedule.kind ${schedule.kind} is not supported here; use cron, every or at` });
  }
}

/** An instant as clients write it: with or without offset (then UTC), a day, or milliseconds since 1970. */
function momentOf(text: string): string {
  const trimmed = text.trim();
  const written = /^\d{4}-\d\d-\d\dT/.test(trimmed) && !/(Z|[+-]\d\d:?\d\d)$/i.test(trimmed) ? `${trimmed}Z` : trimmed;
  const at = /^\d+$/.test(trimmed) ? Number(trimmed) : Date.parse(written);
  if (at >= 0 && at <= LATEST) return new Date(at).toISOString();
  throw plexusError('INVALID_REQUEST', { message: 'schedule.at: write an instant such as 2026-11-22T08:00:00Z' });
}

/** What a job of the protocol does. Programs and scripts do not run on gateways: an agent's tools are the place for them. */
export function actionOf(
  { payload, sessionTarget, sessionKey, agentId }: Pick<CronJobInput, 'payload' | 'sessionTarget' | 'sessionKey' | 'agentId'>,
  place: JobPlace,
): Action {
  if (payload.kind !== 'agentTurn' && payload.kind !== 'systemEvent') {
    throw plexusError('INVALID_REQUEST', { message: `payload.kind ${payload.kind} is not supported here; use agentTurn or systemEvent` });
  }
  const agent = agentId ?? place.agentId;
  const session = sessionOf(sessionTarget, sessionKey, agent, place.mainKey);
  return {
    kind: 'agent',
    agentId: agent,
    message: payload.kind === 'agentTurn' ? payload.message : payload.text,
    ...(session === undefined ? {} : { sessionKey: session }),
    ...(payload.kind === 'agentTurn' && payload.timeoutSeconds ? { timeoutMs: Math.max(1_000, payload.timeoutSeconds * 1_000) } : {}),
  };
}

/** What a job does after a change; what the change does not name stays. Undefined: nothing of it changes. */
export function changedAction(before: Action, patch: Partial<CronJobInput>, place: JobPlace): Action | undefined {
  const { payload, sessionTarget, sessionKey, agentId } = patch;
  if (payload === undefined && sessionTarget === undefined && sessionKey === undefined && agentId === undefined) return undefined;
  const old = before.kind === 'agent' ? before : undefined;
  if (payload === undefined && old === undefined) throw plexusError('INVALID_REQUEST', { message: 'this job tells no agent anything: name a payload' });
  const target = sessionTarget ?? (sessionKey ? 'current' : old?.sessionKey === undefined ? 'isolated' : `session:${old.sessionKey}`);
  const told = payload ?? { kind: 'agentTurn' as const, message: old?.message ?? '' };
  const next = actionOf({ payload: told, sessionTarget: target, sessionKey, agentId: agentId ?? old?.agentId }, place);
  const timeoutMs = old?.timeoutMs;
  return timeoutMs === undefined ? next : ({ timeoutMs, ...next } as Action);
}

function sessionOf(target: string, sessionKey: string | null | undefined, agentId: string, mainKey: string): string | undefined {
  if (target.startsWith('session:')) return target.slice('session:'.length);
  if (target === 'isolated') return undefined;
  return sessionKey ?? `agent:${agentId}:${mainKey}`;
}
