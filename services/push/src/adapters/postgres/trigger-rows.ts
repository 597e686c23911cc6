import type { RunNotice, ScheduleRun, StoredRule, StoredRun, StoredSchedule, AgentTask } from '../../application/triggers/trigger-ports.js';

/** Rows of the tables of triggers, and what the use cases make of them. */

export interface ScheduleRow {
  readonly t: string;
  readonly id: string;
  readonly user_id: string;
  readonly name: string;
  readonly cron: string | null;
  readonly every_ms: number | null;
  readonly at: Date | null;
  readonly tz: string;
  readonly action: StoredSchedule['action'];
  readonly catch_up: StoredSchedule['catchUp']['mode'];
  readonly catch_up_max: number;
  readonly enabled: boolean;
  readonly origin: StoredSchedule['origin'];
  readonly next_at: Date | null;
  readonly created_at: Date;
  readonly version: number;
}
export const SCHEDULE_WRITTEN = 't, id, user_id, name, cron, every_ms, at, tz, action, catch_up, catch_up_max, enabled, origin, next_at, created_at';
export const SCHEDULE_COLUMNS = `${SCHEDULE_WRITTEN}, version`;

export function toSchedule(row: ScheduleRow): StoredSchedule {
  return {
    tenant: row.t,
    id: row.id,
    owner: row.user_id,
    name: row.name,
    ...(row.cron === null ? {} : { cron: row.cron }),
    ...(row.every_ms === null ? {} : { everyMs: row.every_ms }),
    ...(row.at === null ? {} : { at: row.at.getTime() }),
    timeZone: row.tz,
    action: row.action,
    catchUp: { mode: row.catch_up, max: row.catch_up_max },
    enabled: row.enabled,
    origin: row.origin,
    ...(row.next_at === null ? {} : { nextAt: row.next_at.getTime() }),
    createdAt: row.created_at.getTime(),
    version: row.version,
  };
}

export interface FiringRow {
  readonly due_at: Date;
  readonly fired_at: Date;
  readonly trigger: ScheduleRun['trigger'];
  readonly state: ScheduleRun['state'];
  readonly reason: string | null;
  readonly run_id: string | null;
}

export function toFiring(row: FiringRow): ScheduleRun {
  return {
    dueAt: row.due_at.getTime(),
    firedAt: row.fired_at.getTime(),
    trigger: row.trigger,
    state: row.state,
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.run_id === null ? {} : { runId: row.run_id }),
  };
}

export interface RuleRow {
  readonly t: string;
  readonly id: string;
  readonly user_id: string;
  readonly name: string;
  readonly match: StoredRule['match'];
  readonly research: StoredRule['research'];
  readonly notify: Omit<StoredRule['notify'], 'to'> & { readonly to: 'owner' | 'followers' | 'users' };
  readonly recipients: string[] | null;
  readonly max_per_hour: number;
  readonly enabled: boolean;
  readonly refused: number;
  readonly created_at: Date;
  readonly version: number;
}
export const RULE_WRITTEN = 't, id, user_id, name, match, research, notify, recipients, max_per_hour, enabled, refused, created_at';
export const RULE_COLUMNS = `${RULE_WRITTEN}, version`;

export function toRule(row: RuleRow): StoredRule {
  const { to, ...notify } = row.notify;
  return {
    tenant: row.t,
    id: row.id,
    owner: row.user_id,
    name: row.name,
    match: row.match,
    research: row.research,
    notify: { ...notify, to: to === 'users' ? (row.recipients ?? []) : to },
    maxPerHour: row.max_per_hour,
    enabled: row.enabled,
    refused: row.refused,
    createdAt: row.created_at.getTime(),
    version: row.version,
  };
}

export interface RunRow {
  readonly t: string;
  readonly id: string;
  readonly user_id: string;
  readonly kind: StoredRun['kind'];
  readonly source_id: string;
  readonly dedup_key: string;
  readonly request_hash: string;
  readonly state: StoredRun['state'];
  readonly task: AgentTask;
  readonly notice: RunNotice | null;
  readonly recipients: string[] | null;
  readonly caused_by: string | null;
  readonly depth: number;
  readonly agent_run_id: string | null;
  readonly session_key: string | null;
  readonly result: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly attempts: number;
  readonly revision: number;
  readonly deadline: Date;
  readonly created_at: Date;
  readonly ended_at: Date | null;
}
const RUN_COLUMN_NAMES = [
  ...['t', 'id', 'user_id', 'kind', 'source_id', 'dedup_key', 'request_hash', 'state', 'task', 'notice', 'recipients', 'caused_by', 'depth', 'agent_run_id'],
  ...['session_key', 'result', 'error_code', 'error_message', 'attempts', 'revision', 'deadline', 'created_at', 'ended_at'],
];
export const RUN_COLUMNS = RUN_COLUMN_NAMES.join(', ');
/** The same behind the name `r` of the table. */
export const RUN_COLUMNS_OF_R = RUN_COLUMN_NAMES.map((name) => `r.${name}`).join(', ');

export function toRun(row: RunRow): StoredRun {
  return {
    tenant: row.t,
    id: row.id,
    owner: row.user_id,
    kind: row.kind,
    sourceId: row.source_id,
    dedupKey: row.dedup_key,
    requestHash: row.request_hash,
    state: row.state,
    task: row.task,
    ...(row.notice === null ? {} : { notice: row.notice }),
    recipients: row.recipients ?? [],
    ...(row.caused_by === null ? {} : { causedBy: row.caused_by }),
    depth: row.depth,
    ...(row.agent_run_id === null ? {} : { agentRunId: row.agent_run_id }),
    ...(row.session_key === null ? {} : { sessionKey: row.session_key }),
    ...(row.result === null ? {} : { result: row.result }),
    ...(row.error_code === null ? {} : { error: { code: row.error_code, message: row.error_message ?? '' } }),
    attempts: row.attempts,
    revision: row.revision,
    deadline: row.deadline.getTime(),
    createdAt: row.created_at.getTime(),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at.getTime() }),
  };
}
