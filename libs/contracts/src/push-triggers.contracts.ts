import { z } from 'zod';
import { Severity } from './cloud-event.js';
import { IdempotencyKey, Instant, MessageText, SessionKey, UserId } from './common.js';
import { defineInbound, defineRpc } from './define.js';
import { LabelMatcher } from './push-log.contracts.js';

/** What fires by itself: schedules, dispatch rules, and the tools by which agents research and notify. */

const domain = 'push';

const Id = z.string().regex(/^[a-z0-9][a-z0-9_:.-]{0,127}$/, { error: 'must be [a-z0-9][a-z0-9_:.-]{0,127}' });
const AgentId = z.string().min(1).max(64);
/** Of something that people change: named in a change, it is refused when somebody else was first. */
const Version = z.number().int().min(1);
const baseVersion = Version.optional().describe('Refused with CONFLICT when it has changed since.');
const References = z.array(z.string().min(1).max(256)).max(100);
const TimeoutMs = z.number().int().min(1_000).max(3_600_000);

/** What an event, or a notification, is about: subscriptions, policies, silences and grants look at it. */
export const About = z.object({
  caseId: z.string().min(1).max(256).optional(),
  entities: References.optional(),
  regions: References.optional(),
  topics: References.optional(),
});

/** A notification for people, before anything is decided about it. */
export const Notice = About.extend({
  summary: z.string().min(1).max(2_000),
  text: z.string().max(16_000).optional().describe('The whole message, where the summary is not all of it.'),
  severity: Severity.default('medium'),
  dedupKey: z.string().min(1).max(512).optional(),
  groupKey: z.string().min(1).max(512).optional(),
  expiresAt: Instant.optional(),
});
export type Notice = z.infer<typeof Notice>;

/** A message to an agent, answered in a session of its owner. */
const AgentTask = z.object({
  agentId: AgentId.optional().describe('Absent: the default agent. One that is not configured is refused.'),
  message: MessageText,
  sessionKey: SessionKey.optional().describe('Absent: a session of its own.'),
  timeoutMs: TimeoutMs.default(600_000).describe('Time limit of the whole run.'),
});

/** What a schedule does when it is due. */
export const ScheduleAction = z.discriminatedUnion('kind', [
  About.extend({
    kind: z.literal('event'),
    type: z.string().min(1).max(256).optional().describe('CloudEvents type; absent: that of `push.schedule-fired`.'),
    summary: z.string().min(1).max(2_000),
    severity: Severity.default('medium'),
    data: z.record(z.string().max(128), z.unknown()).optional(),
  }).describe('States an event, to which subscriptions, policies and dispatch rules apply.'),
  Notice.extend({ kind: z.literal('notify') }).describe('Notifies its owner.'),
  AgentTask.extend({ kind: z.literal('agent') }).describe('Starts a run of an agent. While the run before goes on, a due time is skipped.'),
]);
export type ScheduleAction = z.infer<typeof ScheduleAction>;

/** When a schedule is due. Exactly one of `cron`, `everyMs` and `at`. */
const Timing = {
  cron: z.string().min(1).max(200).optional().describe('Five or six fields, read in `timeZone`.'),
  everyMs: z
    .number()
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .optional()
    .describe('Fixed interval, counted from 1970.'),
  at: Instant.optional().describe('One moment; afterwards the schedule is disabled. Missed, it is made up for, whatever `catchUp` says.'),
  timeZone: z.string().min(1).max(64).default('UTC').describe('IANA time zone.'),
};

/** What becomes of due times that passed while nothing ran: left out, only the last one, or the newest ones up to `max`. */
export const CatchUp = z.object({ mode: z.enum(['skip', 'latest', 'all']).default('skip'), max: z.number().int().min(1).max(100).default(10) });

export const Schedule = z.object({
  id: Id,
  owner: UserId,
  name: z.string(),
  ...Timing,
  action: ScheduleAction,
  catchUp: CatchUp,
  enabled: z.boolean(),
  origin: z.enum(['user', 'config']).describe("config: a cron job or heartbeat of the tenant's configuration; changed only there."),
  nextAt: Instant.optional().describe('Absent: never again.'),
  createdAt: Instant,
  version: Version.optional().describe('Counts its changes.'),
});
export type Schedule = z.infer<typeof Schedule>;

const scheduleFields = {
  name: z.string().min(1).max(200),
  ...Timing,
  action: ScheduleAction,
  catchUp: CatchUp.prefault({}),
  enabled: z.boolean().default(true),
  owner: UserId.optional().describe('Another one than the caller: operators and services only.'),
};

export const createSchedule = defineRpc({
  domain,
  name: 'create-schedule',
  version: 1,
  summary:
    'Makes a schedule: a message to an agent, an event, or a notification, at fixed times, exactly once per due time over any number of replicas. The same id with the same owner replaces it.',
  data: z.object({ id: Id.optional().describe('Absent: a new one.'), ...scheduleFields }),
  response: z.object({ schedule: Schedule, created: z.boolean() }),
  errors: ['CONFLICT', 'QUOTA_EXCEEDED'],
  examples: [{ name: 'morning', cron: '0 9 * * 1-5', timeZone: 'Europe/Berlin', action: { kind: 'agent', message: 'What happened in the night?' } }],
});

export const updateSchedule = defineRpc({
  domain,
  name: 'update-schedule',
  version: 1,
  summary: 'Changes fields of a schedule; what is absent stays, a new timing counts from now. Said again it changes nothing.',
  data: z.object({
    id: Id,
    baseVersion,
    name: scheduleFields.name.optional(),
    cron: Timing.cron,
    everyMs: Timing.everyMs,
    at: Timing.at,
    timeZone: z.string().min(1).max(64).optional(),
    action: ScheduleAction.optional(),
    catchUp: CatchUp.optional(),
    enabled: z.boolean().optional(),
  }),
  response: z.object({ schedule: Schedule }),
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFLICT'],
  examples: [{ id: 'sch_1', enabled: false }],
});

export const listSchedules = defineRpc({
  domain,
  name: 'list-schedules',
  version: 1,
  summary: "The caller's schedules; with `all` (operators) those of everybody.",
  data: z.object({ all: z.boolean().default(false), after: z.string().max(128).optional(), limit: z.number().int().min(1).max(200).default(100) }),
  response: z.object({ schedules: z.array(Schedule), next: z.string().optional() }),
  idempotent: true,
  examples: [{}],
});

export const removeSchedule = defineRpc({
  domain,
  name: 'remove-schedule',
  version: 1,
  summary: 'Removes a schedule with its history. What it started goes on.',
  data: z.object({ id: Id }),
  response: z.object({ removed: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'sch_1' }],
});

export const runSchedule = defineRpc({
  domain,
  name: 'run-schedule',
  version: 1,
  summary: 'Fires a schedule now, beside its due times.',
  data: z.object({ id: Id }),
  response: z.object({ dueAt: Instant, state: z.enum(['fired', 'skipped']), runId: z.string().optional() }),
  errors: ['NOT_FOUND'],
  examples: [{ id: 'sch_1' }],
});

export const scheduleRuns = defineRpc({
  domain,
  name: 'schedule-runs',
  version: 1,
  summary: 'What a schedule did, newest first.',
  data: z.object({ id: Id, limit: z.number().int().min(1).max(200).default(50) }),
  response: z.object({
    runs: z.array(
      z.object({
        dueAt: Instant,
        firedAt: Instant,
        trigger: z.enum(['due', 'caught_up', 'manual']),
        state: z.enum(['fired', 'skipped']),
        reason: z.string().optional().describe('Why it was skipped.'),
        runId: z.string().optional().describe('Of `push.dispatch-status`, when it started an agent.'),
      }),
    ),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'sch_1' }],
});

export const scheduleFired = defineInbound({
  domain,
  name: 'schedule-fired',
  version: 1,
  key: ['scheduleId'],
  summary: 'A schedule stated an event. Published by push under its own source token, so that subscriptions and policies apply to it.',
  data: About.extend({ summary: z.string().max(2_000), scheduleId: Id, dueAt: Instant }).loose(),
  examples: [{ summary: 'Weekly report is due', scheduleId: 'sch_1', dueAt: '2026-11-21T10:00:00Z' }],
});

export const researchFinished = defineInbound({
  domain,
  name: 'research-finished',
  version: 1,
  key: ['runId'],
  summary: 'A research run of a dispatch rule ended; who follows what it is about is told by subscriptions.',
  data: About.extend({
    summary: z.string().max(2_000),
    text: z.string().max(16_000),
    ruleId: Id,
    runId: z.string(),
    status: z.enum(['done', 'failed']),
  }).loose(),
  examples: [{ summary: 'Three new sources', text: '…', ruleId: 'rul_1', runId: 'dsp_1', status: 'done' }],
});

/** Which events a dispatch rule is about. Everything that is given must hold. */
export const DispatchMatch = z.object({
  types: z
    .array(z.string().min(1).max(256))
    .max(50)
    .default([])
    .describe('Event types with `*`; empty = every type of events from outside. Facts of the mesh must be named.'),
  minSeverity: Severity.default('low'),
  matchers: z.array(LabelMatcher).max(20).default([]),
});

export const DispatchNotify = z.object({
  to: z
    .union([z.enum(['owner', 'followers']), z.array(UserId).min(1).max(100)])
    .default('owner')
    .describe('followers: states an event about the same case, entities, regions and topics, to which subscriptions apply.'),
  severity: Severity.optional().describe('Absent: that of the event.'),
  onFailure: z.boolean().default(true).describe('Tell also that the research failed, and why.'),
});

export const DispatchRule = z.object({
  id: Id,
  owner: UserId.describe('Whose session the research runs in.'),
  name: z.string(),
  match: DispatchMatch,
  research: AgentTask.omit({ sessionKey: true }).describe('`{{summary}}`, `{{type}}`, `{{caseId}}` and `{{event}}` in the message stand for the event.'),
  notify: DispatchNotify,
  maxPerHour: z.number().int(),
  enabled: z.boolean(),
  refused: z.number().int().describe('Events that were not researched: budget used up, or a loop.'),
  createdAt: Instant,
  version: Version.optional().describe('Counts its changes.'),
});
export type DispatchRule = z.infer<typeof DispatchRule>;

export const saveDispatchRule = defineRpc({
  domain,
  name: 'save-dispatch-rule',
  version: 1,
  summary: 'Makes or replaces a rule: on a matching event an agent researches first, then people are told. Sees every event of the tenant, so operators only.',
  data: z.object({
    id: Id.optional().describe('Absent: a new one.'),
    name: z.string().min(1).max(200),
    owner: UserId.optional().describe('Absent: the caller.'),
    match: DispatchMatch,
    research: DispatchRule.shape.research,
    notify: DispatchNotify.prefault({}),
    maxPerHour: z.number().int().min(1).max(10_000).default(60),
    enabled: z.boolean().default(true),
  }),
  response: z.object({ rule: DispatchRule, created: z.boolean() }),
  errors: ['QUOTA_EXCEEDED'],
  examples: [{ name: 'collections', match: { types: ['*collection_done*'] }, research: { message: 'What is new in this collection? {{summary}}' } }],
});

export const updateDispatchRule = defineRpc({
  domain,
  name: 'update-dispatch-rule',
  version: 1,
  summary: 'Changes fields of a dispatch rule; what is absent stays, each field that is given is replaced as a whole. Said again it changes nothing.',
  data: z.object({
    id: Id,
    baseVersion,
    name: z.string().min(1).max(200).optional(),
    owner: UserId.optional(),
    match: DispatchMatch.optional(),
    research: DispatchRule.shape.research.optional(),
    notify: DispatchNotify.optional(),
    maxPerHour: z.number().int().min(1).max(10_000).optional(),
    enabled: z.boolean().optional(),
  }),
  response: z.object({ rule: DispatchRule }),
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFLICT'],
  examples: [{ id: 'rul_1', enabled: false }],
});

export const listDispatchRules = defineRpc({
  domain,
  name: 'list-dispatch-rules',
  version: 1,
  summary: "The tenant's dispatch rules; operators only.",
  data: z.object({}),
  response: z.object({ rules: z.array(DispatchRule) }),
  idempotent: true,
  examples: [{}],
});

export const removeDispatchRule = defineRpc({
  domain,
  name: 'remove-dispatch-rule',
  version: 1,
  summary: 'Removes a dispatch rule. Runs that it started end as usual.',
  data: z.object({ id: Id }),
  response: z.object({ removed: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'rul_1' }],
});

/** A research run, from the event or call that asked for it to the notification. */
export const DispatchRun = z.object({
  id: z.string(),
  kind: z.enum(['rule', 'tool', 'schedule']),
  sourceId: z.string().optional().describe('The rule or schedule.'),
  owner: UserId,
  state: z.enum(['pending', 'researching', 'done', 'failed']),
  agentRunId: z.string().optional(),
  sessionKey: SessionKey.optional(),
  result: z.string().optional().describe('What the agent answered.'),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  depth: z.number().int().describe('1, and one more for each run of an agent that led to it.'),
  createdAt: Instant,
  endedAt: Instant.optional(),
});
export type DispatchRun = z.infer<typeof DispatchRun>;

export const dispatchRuns = defineRpc({
  domain,
  name: 'dispatch-runs',
  version: 1,
  summary: 'Newest research runs of the caller; with `all` (operators) of everybody.',
  data: z.object({ all: z.boolean().default(false), sourceId: z.string().max(128).optional(), limit: z.number().int().min(1).max(200).default(50) }),
  response: z.object({ runs: z.array(DispatchRun) }),
  idempotent: true,
  examples: [{}],
});

export const dispatchStatus = defineRpc({
  domain,
  name: 'dispatch-status',
  version: 1,
  summary: "How far one of the caller's research runs is.",
  data: z.object({ runId: z.string().min(1).max(128) }),
  response: z.object({ run: DispatchRun }),
  idempotent: true,
  errors: ['RUN_NOT_FOUND'],
  examples: [{ runId: 'dsp_1' }],
});

/** From whom a call comes that an agent makes: its run, so that loops end and budgets count. */
const byAgent = {
  agentRunId: z.string().min(1).max(256).optional().describe('The run of the agent that calls; a gateway fills it in for VMs.'),
  idempotencyKey: IdempotencyKey.optional(),
};
const research = {
  query: MessageText,
  agentId: AgentId.optional(),
  timeoutMs: TimeoutMs.default(600_000),
  ...byAgent,
};

export const dispatchResearch = defineRpc({
  domain,
  name: 'dispatch-research',
  version: 1,
  summary: 'Lets an agent look into something, in a session of its own. Answers at once; the result is asked for with `push.dispatch-status`.',
  data: z.object(research),
  response: z.object({ runId: z.string() }),
  errors: ['QUOTA_EXCEEDED', 'CONFLICT'],
  examples: [{ query: 'What is known about the vessel Aurora?' }],
});

export const notifyUser = defineRpc({
  domain,
  name: 'notify-user',
  version: 1,
  summary:
    'Notifies a user: the caller, or for operators and services anybody. It is decided like any event: preferences, quiet hours, limits and policies apply. `eventId` finds the decision.',
  data: Notice.extend({ user: UserId.optional(), ...byAgent }),
  response: z.object({ eventId: z.string(), user: UserId }),
  errors: ['QUOTA_EXCEEDED'],
  examples: [{ summary: 'The collection about Aurora has finished' }],
});

export const dispatchAndNotify = defineRpc({
  domain,
  name: 'dispatch-and-notify',
  version: 1,
  summary: 'Research first, then a notification with its result (or with its failure). Answers at once.',
  data: z.object({
    ...research,
    user: UserId.optional(),
    summary: z.string().min(1).max(500).optional().describe('Put before the result.'),
    severity: Severity.default('medium'),
    ...About.shape,
  }),
  response: z.object({ runId: z.string() }),
  errors: ['QUOTA_EXCEEDED', 'CONFLICT'],
  examples: [{ query: 'What changed since yesterday?', summary: 'Daily changes' }],
});
