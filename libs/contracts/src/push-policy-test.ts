import { z } from 'zod';
import { Severity } from './cloud-event.js';
import { SubscriptionLevel, SubscriptionScope } from './push.contracts.js';
import { LabelMatcher, Preference, Priority, QuietHours } from './push-words.js';

const Seconds = z
  .number()
  .min(0)
  .max(14 * 86_400)
  .describe('Seconds after `start`; may have decimals.');
const Name = z.string().min(1).max(128);

/** An event of a test: only what matters to it needs saying. `id` is also how expectations name it. */
export const TestEvent = z.strictObject({
  id: Name,
  type: z.string().min(1).max(256).default('test.event'),
  origin: z.string().min(1).max(64).default('test').describe('Source token of the subject.'),
  source: z.string().max(512).default('/test'),
  subject: z.string().max(512).default(''),
  severity: Severity.default('medium'),
  caseId: z.string().max(256).optional(),
  entities: z.array(z.string().max(256)).max(100).default([]),
  regions: z.array(z.string().max(256)).max(100).default([]),
  topics: z.array(z.string().max(256)).max(100).default([]),
  dedupKey: z.string().max(512).optional(),
  groupKey: z.string().max(512).optional(),
  state: z.enum(['firing', 'resolved']).optional(),
  expiresAt: Seconds.optional(),
  summary: z.string().max(2_000).optional(),
});
export type TestEvent = z.infer<typeof TestEvent>;

/** A subscription through which an event reaches the user of the test. */
export const TestHit = z.strictObject({
  subscriptionId: Name.default('sub_test'),
  scopeKind: SubscriptionScope.default('all'),
  scopeRef: z.string().max(256).default(''),
  minSeverity: Severity.default('low'),
  level: SubscriptionLevel.default('all'),
  mutedUntil: Seconds.optional(),
});

/** One thing that happens; exactly one of the fields beside `at` is given. The same event again is a redelivery. */
export const TestStep = z
  .strictObject({
    at: Seconds,
    event: TestEvent.optional(),
    hits: z.array(TestHit).min(1).max(20).optional().describe('With `event`; default: one subscription to everything, level all.'),
    score: z.number().min(0).max(1).optional().describe('With `event`; default 1.'),
    agent: z.string().max(128).optional().describe('With `event`: the agent that caused it.'),
    preferences: z.array(Preference).max(100).optional().describe("The user's preferences from here on."),
    defaults: z.array(Preference).max(100).optional().describe("The tenant's defaults from here on."),
    quietHours: QuietHours.optional(),
    silence: z
      .strictObject({ matchers: z.array(LabelMatcher).min(1).max(20), from: Seconds, to: Seconds, includeCritical: z.boolean().default(false) })
      .optional(),
    access: z
      .strictObject({
        scopeKind: z.enum(['case', 'topic']),
        scopeRef: z.string().max(256),
        change: z.enum(['granted', 'revoked', 'restricted', 'unrestricted']),
      })
      .optional(),
    ack: Name.optional().describe('Acknowledges the delivery that holds this event.'),
    seen: Name.optional().describe('Marks the delivery that holds this event as seen.'),
  })
  .refine(
    (step) =>
      [step.event, step.preferences, step.defaults, step.quietHours, step.silence, step.access, step.ack, step.seen].filter((x) => x !== undefined).length ===
      1,
    { message: 'A step is exactly one of event, preferences, defaults, quietHours, silence, access, ack, seen.' },
  );
export type TestStep = z.infer<typeof TestStep>;

/** An expected message. Fields that are absent are not compared. */
export const ExpectedSend = z.strictObject({
  at: Seconds,
  events: z.array(Name).min(1).max(1_000).optional().describe('Ids, oldest first.'),
  count: z.number().int().min(1).optional().describe('How many events it holds.'),
  kind: z.enum(['notification', 'digest', 'storm', 'escalation', 'source_budget']).optional(),
  priority: Priority.optional(),
  interrupt: z.boolean().optional(),
  channels: z.array(z.string().max(64)).optional(),
});

/** How one event must end: its terminal decision. */
export const ExpectedDecision = z.strictObject({
  event: Name,
  verdict: z.enum(['sent', 'inbox', 'suppressed', 'dropped']).optional(),
  reason: z.string().max(64).optional().describe('Reason code, e.g. `throttled`.'),
  at: Seconds.optional(),
});

/** One embedded test: what is given, a clock, what is expected. */
export const PolicyTest = z.strictObject({
  name: Name,
  start: z.iso.datetime({ offset: true }).default('2026-01-05T10:00:00Z').describe('Second 0.'),
  steps: z.array(TestStep).min(1).max(2_000).describe('In the order of `at`.'),
  until: Seconds.optional().describe('The clock runs on until here; default: a day after the last step.'),
  expect: z
    .strictObject({
      sends: z.array(ExpectedSend).max(2_000).optional().describe('Every interrupting message, in order: none may be missing, none may be more.'),
      decisions: z.array(ExpectedDecision).max(2_000).optional().describe('For these events; others may end as they like.'),
      interrupts: z.number().int().min(0).optional(),
      inbox: z.number().int().min(0).optional().describe('Items in the inbox at the end, interrupting or not.'),
      channels: z
        .array(z.strictObject({ at: Seconds, event: Name, channel: z.string().max(64) }))
        .max(2_000)
        .optional()
        .describe('Every later channel of an item that was not seen, in order; `event`: one that the item holds.'),
    })
    .refine((expect) => Object.values(expect).some((part) => part !== undefined), { message: 'A test expects something.' }),
});
export type PolicyTest = z.infer<typeof PolicyTest>;
