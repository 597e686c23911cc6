import { z } from 'zod';
import { PolicyTest } from './push-policy-test.js';
import { Priority } from './push-words.js';

export { Priority } from './push-words.js';

const pattern = z.string().min(1).max(256).describe('Event type; `*` = any run of characters.');
const seconds = (max: number) => z.number().min(0).max(max);
const DAY = 86_400;

/** Which events a rule of a policy is about; every field that is given must hold. */
export const PolicyMatch = z.strictObject({
  types: z.array(pattern).max(50).optional(),
  severities: z.array(z.enum(['low', 'medium', 'high', 'critical'])).optional(),
  sources: z.array(pattern).max(50).optional().describe('Source tokens of the subject.'),
  case: z.string().max(256).optional(),
  topic: z.string().max(256).optional(),
});
export type PolicyMatch = z.infer<typeof PolicyMatch>;

/** A channel of a plan; with `afterUnseenSeconds` only when the item was not seen by then. */
export const ChannelStep = z.strictObject({
  channel: z.string().min(1).max(64).describe('`session`, `webhook`, `email`, `webpush`; the inbox and its sockets are always there.'),
  afterUnseenSeconds: seconds(7 * DAY).default(0),
});

/** How a tenant wants to be interrupted. Every field has a default: `{name}` alone is a policy. */
export const PushPolicy = z.strictObject({
  name: z.string().min(1).max(128),
  mandatory: z.array(PolicyMatch).max(50).default([]).describe('These skip preferences.'),
  priority: z
    .strictObject({
      floor: z.number().min(0).max(1).default(0).describe('A score below it goes to the inbox without interrupting.'),
      bySeverity: z.strictObject({ low: Priority.default('P2'), medium: Priority.default('P2'), high: Priority.default('P1') }).prefault({}),
    })
    .prefault({}),
  collapse: z.strictObject({ ttlSeconds: seconds(7 * DAY).default(600) }).prefault({}),
  group: z
    .array(
      z.strictObject({
        match: PolicyMatch.default({}),
        by: z.enum(['type', 'case', 'source', 'groupkey', 'user']).default('type'),
        mode: z.enum(['leading', 'trailing']),
        windowSeconds: seconds(DAY).min(1),
        maxItems: z.number().int().min(1).max(1_000).default(100),
      }),
    )
    .max(50)
    .default([])
    .describe('The first that matches; none = not grouped. Level digest groups by user, trailing, an hour, where nothing else does.'),
  throttle: z
    .array(z.strictObject({ match: PolicyMatch.default({}), n: z.number().int().min(1).max(10_000), perSeconds: seconds(7 * DAY).min(1) }))
    .max(20)
    .default([]),
  storm: z.strictObject({ count: z.number().int().min(1).default(20), windowSeconds: seconds(3_600).min(1).default(60) }).prefault({}),
  inhibit: z
    .array(
      z.strictObject({
        source: PolicyMatch,
        target: PolicyMatch,
        equal: z.array(z.enum(['type', 'source', 'case', 'subject', 'entity', 'region', 'topic', 'groupkey'])).min(1),
        holdSeconds: seconds(30).default(0).describe('Targets wait this long for a source that may still come.'),
      }),
    )
    .max(50)
    .default([]),
  channels: z
    .array(z.strictObject({ match: PolicyMatch.default({}), priorities: z.array(Priority).default(['P0', 'P1', 'P2']), plan: z.array(ChannelStep).max(10) }))
    .max(50)
    .default([])
    .describe('The first that matches; none = inbox only.'),
  escalation: z
    .strictObject({
      afterSeconds: z
        .array(seconds(7 * DAY).min(1))
        .max(10)
        .default([]),
      channels: z.array(z.string().max(64)).max(10).default([]),
    })
    .prefault({})
    .describe('P0 that nobody acknowledges: a new item and these channels, once per level.'),
  showSuppressed: z
    .array(z.enum(['silenced', 'inhibited', 'collapsed']))
    .default([])
    .describe('These still appear in the inbox, without interrupting.'),
  sourceBudgetPerHour: z.number().int().min(1).default(50).describe('Candidates that one agent may cause per user and hour.'),
  tests: z
    .array(PolicyTest)
    .max(200)
    .default([])
    .describe('Embedded tests: given events and a clock, expected verdicts. A policy whose tests fail cannot be activated.'),
});
export type PushPolicy = z.infer<typeof PushPolicy>;
/** A policy as somebody writes it: only what differs from the defaults. */
export type PushPolicyText = z.input<typeof PushPolicy>;
