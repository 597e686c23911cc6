import { z } from 'zod';
import { isCronPattern, isTimeZone } from './cron-pattern.js';
import { AgentId, ID_PATTERN, Milliseconds, OptionalText, Text } from './names.js';

export const TimeZone = z.string().max(64).refine(isTimeZone, { error: 'is no IANA time zone, such as Europe/Berlin' });
export const CronPattern = z.string().max(200).refine(isCronPattern, { error: 'is no cron pattern of five or six fields' });

/** Wakes an agent regularly. Fields of an agent override those of `agents.defaults.heartbeat`, which override `heartbeat`. */
export const HeartbeatConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'False: no heartbeat, whatever the interval.', default: true }),
  everyMs: Milliseconds.optional().meta({ description: 'Interval, at least one second. 0: no heartbeat.', default: 0 }),
  target: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Where an answer goes: `last` (where the agent was last written to), `none`, or a channel.', default: 'last' }),
  to: OptionalText(256).describe('Recipient in the target channel. Absent: the last one.'),
  message: OptionalText(100_000).meta({ description: 'What the agent is told.', default: 'Heartbeat: look whether anything needs your attention.' }),
});
export type HeartbeatConfig = z.infer<typeof HeartbeatConfig>;

export const CronJobConfig = z
  .strictObject({
    id: z.string().regex(ID_PATTERN, { error: 'a job id must be [a-z0-9][a-z0-9_-]{0,63}' }).describe('Unique among the jobs.'),
    agentId: AgentId.optional().describe('Who is woken. Absent: the default agent.'),
    enabled: z.boolean().optional().meta({ description: 'A disabled job keeps its place and never runs.', default: true }),
    cron: CronPattern.optional().describe('When: `0 9 * * 1-5`. Exactly one of `cron` and `everyMs`.'),
    everyMs: z
      .number()
      .int()
      .min(1_000)
      .max(366 * 86_400_000)
      .optional()
      .describe('When: fixed interval.'),
    timeZone: TimeZone.optional().meta({ description: 'Zone in which `cron` is read.', default: 'UTC' }),
    target: z.string().max(64).optional().meta({ description: '`last`, `none`, or a channel.', default: 'last' }),
    to: OptionalText(256).describe('Recipient in the target channel.'),
    message: Text(100_000).describe('What the agent is told.'),
  })
  .refine((job) => (job.cron === undefined) !== (job.everyMs === undefined), { error: 'needs exactly one of cron and everyMs', path: ['cron'] });
export type CronJobConfig = z.infer<typeof CronJobConfig>;
