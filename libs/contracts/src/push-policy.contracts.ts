import { z } from 'zod';
import { Instant, UserId } from './common.js';
import { defineRpc } from './define.js';
import { PushPolicy } from './push-policy.js';

/** Policies of a tenant: drafts, tests, activation, replay; explanations, feedback and statistics. */

const domain = 'push';
const Count = z.number().int().min(0);
/** 0 is the built-in policy: every default. */
const Version = z.number().int().min(0);
const OwnVersion = z.number().int().min(1);
const Text = z
  .string()
  .min(1)
  .max(512 * 1024)
  .describe('YAML or JSON, as somebody wrote it.');
const Body = z.record(z.string(), z.unknown()).describe('The policy as an object; what is left out has its default.');

export const PolicyState = z.enum(['draft', 'tested', 'active', 'retired']);
export type PolicyState = z.infer<typeof PolicyState>;

export const PolicyTestFailure = z.object({ test: z.string(), message: z.string().describe('What was expected and what came instead.') });
export const PolicyTestReport = z.object({
  passed: z.boolean(),
  total: Count.describe('Embedded tests that ran.'),
  failures: z.array(PolicyTestFailure),
});
export type PolicyTestReport = z.infer<typeof PolicyTestReport>;

export const PolicySummary = z.object({
  version: Version,
  name: z.string(),
  state: PolicyState,
  digest: z.string().describe('SHA-256 of what it says: equal digests decide equally.'),
  notes: z.string().optional(),
  createdBy: z.string(),
  createdAt: Instant,
  testedAt: Instant.optional(),
  activatedAt: Instant.optional().describe('The last time.'),
  activatedBy: z.string().optional(),
  activatedSeq: Count.optional().describe('Position in the log from which on every partition decides by it; absent until the log has taken it.'),
  retiredAt: Instant.optional(),
  tests: z.object({ total: Count, failed: Count }).optional().describe('Of the last run.'),
});
export type PolicySummary = z.infer<typeof PolicySummary>;

/** What changed between two runs for one event of one user. */
export const ReplayChange = z.object({
  user: z.string(),
  event: z.object({ origin: z.string(), source: z.string(), id: z.string(), type: z.string() }),
  before: z.object({ verdict: z.string(), reason: z.string(), at: Instant, policyVersion: Version }).optional(),
  after: z.object({ verdict: z.string(), reason: z.string(), at: Instant, policyVersion: Version }).optional(),
  why: z.string().optional(),
});
export type ReplayChange = z.infer<typeof ReplayChange>;

export const ReplayCoverage = z.object({
  from: Instant,
  to: Instant,
  warmUpFrom: Instant.describe('From here on, inputs are read and decided by the present policy, so that windows, groups and open items are as they were.'),
  inputs: Count,
  users: Count,
  complete: z.boolean().describe('False: a limit was reached; what is said holds for the partitions that were read.'),
  partitions: Count.describe('Of 64.'),
  assumptions: z.array(z.string()).describe('What is not known about the time before, in sentences.'),
});
export type ReplayCoverage = z.infer<typeof ReplayCoverage>;

export const VolumeBucket = z.object({ min: Count, max: Count.optional().describe('Absent: open.'), before: Count, after: Count });

export const ReplayResult = z.object({
  coverage: ReplayCoverage,
  added: Count,
  removed: Count,
  moved: Count,
  unchanged: Count,
  criticalRegressions: z
    .array(ReplayChange)
    .max(200)
    .describe('Critical events that the draft sends later, or not at all. Any of them forbids its activation.'),
  criticalRegressionCount: Count,
  examples: z.object({ added: z.array(ReplayChange).max(50), removed: z.array(ReplayChange).max(50), moved: z.array(ReplayChange).max(50) }),
  interrupts: z.object({ before: Count, after: Count }),
  volume: z.array(VolumeBucket).describe('Users by interrupts in the window: how many fall into each bucket, before and after.'),
  reasons: z.object({ before: z.record(z.string(), Count), after: z.record(z.string(), Count) }).describe('Terminal decisions by reason.'),
});
export type ReplayResult = z.infer<typeof ReplayResult>;

export const ReplayJob = z.object({
  jobId: z.string(),
  state: z.enum(['running', 'done', 'failed', 'cancelled', 'interrupted']).describe('interrupted: the replica that worked on it is gone; ask again.'),
  progress: z.object({ inputs: Count, partitions: Count }),
  against: Version.describe('The policy that was compared with.'),
  version: Version.optional().describe('The stored policy; absent for one that was only given.'),
  digest: z.string(),
  createdAt: Instant,
  finishedAt: Instant.optional(),
  error: z.string().optional(),
  result: ReplayResult.optional(),
});
export type ReplayJob = z.infer<typeof ReplayJob>;

export const putPolicy = defineRpc({
  domain,
  name: 'put-policy',
  version: 1,
  summary: 'Stores a draft of a policy: a new one, or with `version` another text of that draft, whose tests then have to run again. Scope operator.admin.',
  data: z.object({
    text: Text.optional(),
    body: Body.optional(),
    version: OwnVersion.optional(),
    notes: z.string().max(2_000).optional(),
  }),
  response: z.object({ policy: PolicySummary }),
  errors: ['CONFLICT', 'NOT_FOUND', 'QUOTA_EXCEEDED'],
  examples: [{ text: 'name: calm\nthrottle:\n  - { n: 3, perSeconds: 3600 }\n' }],
});

export const testPolicy = defineRpc({
  domain,
  name: 'test-policy',
  version: 1,
  summary: 'Runs the embedded tests of a stored policy (a draft that passes becomes tested), or of one that is only given. Scope operator.admin.',
  data: z.object({ version: Version.optional(), text: Text.optional(), body: Body.optional() }),
  response: z.object({ report: PolicyTestReport, policy: PolicySummary.optional() }),
  timeoutMs: 20_000,
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ version: 1 }],
});

const Activated = z.object({
  policy: PolicySummary,
  replaced: Version.describe('The version that was active before.'),
  report: PolicyTestReport,
  replay: ReplayResult.optional().describe('What it was checked against; absent after a rollback.'),
});

export const activatePolicy = defineRpc({
  domain,
  name: 'activate-policy',
  version: 1,
  summary:
    'Makes a policy the one that decides. Its tests run, and the last stretch of the log is replayed under it; a failing test or a critical regression ' +
    'refuses it (CONFLICT, details.failures and details.criticalRegressions). Scope operator.admin.',
  data: z.object({
    version: OwnVersion,
    replayHours: z.number().min(1).max(336).default(24).describe('How far back critical regressions are looked for.'),
  }),
  response: Activated,
  timeoutMs: 45_000,
  errors: ['CONFLICT', 'NOT_FOUND'],
  examples: [{ version: 1 }],
});

export const rollbackPolicy = defineRpc({
  domain,
  name: 'rollback-policy',
  version: 1,
  summary:
    'Goes back to a policy that was active before, the last one (or the built-in one, version 0) if none is named. Its tests run; nothing is replayed. Scope operator.admin.',
  data: z.object({ version: Version.optional() }),
  response: Activated,
  timeoutMs: 20_000,
  errors: ['CONFLICT', 'NOT_FOUND'],
  examples: [{}],
});

export const retirePolicy = defineRpc({
  domain,
  name: 'retire-policy',
  version: 1,
  summary: 'Puts a draft aside. The active one is replaced by activating another. Scope operator.admin.',
  data: z.object({ version: OwnVersion }),
  response: z.object({ policy: PolicySummary }),
  idempotent: true,
  errors: ['CONFLICT', 'NOT_FOUND'],
  examples: [{ version: 1 }],
});

export const getPolicy = defineRpc({
  domain,
  name: 'get-policy',
  version: 1,
  summary: 'One policy, whole; without `version` the active one. Version 0 is the built-in policy of tenants that have none.',
  data: z.object({ version: Version.optional() }),
  response: z.object({ policy: PolicySummary, body: PushPolicy, text: z.string(), report: PolicyTestReport.optional() }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{}],
});

export const listPolicies = defineRpc({
  domain,
  name: 'list-policies',
  version: 1,
  summary: 'Policies of the tenant, newest first.',
  data: z.object({ limit: z.number().int().min(1).max(200).default(50), before: OwnVersion.optional() }),
  response: z.object({ active: Version, policies: z.array(PolicySummary) }),
  idempotent: true,
  examples: [{}],
});

export const diffPolicies = defineRpc({
  domain,
  name: 'diff-policies',
  version: 1,
  summary: 'What differs between two policies, field by field, with every default filled in. Without `from`: the active one.',
  data: z.object({ from: Version.optional(), to: Version.optional(), text: Text.optional(), body: Body.optional() }),
  response: z.object({ changes: z.array(z.object({ path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() })) }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ to: 2 }],
});

export const replayPolicy = defineRpc({
  domain,
  name: 'replay-policy',
  version: 1,
  summary:
    'Decides a stretch of the log once more, as it is and as if the policy had been activated at `from`, and compares. Answers the running job; ' +
    'within `waitMs` perhaps its result. Scope operator.admin.',
  data: z.object({
    version: Version.optional(),
    text: Text.optional(),
    body: Body.optional(),
    from: Instant,
    to: Instant.optional().describe('Absent: now.'),
    users: z.array(UserId).min(1).max(1_000).optional(),
    warmUpHours: z.number().min(0).max(336).default(24),
    waitMs: z.number().int().min(0).max(8_000).default(2_000),
  }),
  response: ReplayJob,
  timeoutMs: 15_000,
  errors: ['NOT_FOUND', 'QUEUE_FULL'],
  examples: [{ version: 2, from: '2026-11-21T00:00:00Z' }],
});

export const getReplay = defineRpc({
  domain,
  name: 'get-replay',
  version: 1,
  summary: 'How far a replay is, and its result. Kept for seven days. Scope operator.admin: its examples name what people got.',
  data: z.object({ jobId: z.string().min(1).max(64), waitMs: z.number().int().min(0).max(8_000).default(0) }),
  response: ReplayJob,
  timeoutMs: 15_000,
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ jobId: 'rpl_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const cancelReplay = defineRpc({
  domain,
  name: 'cancel-replay',
  version: 1,
  summary: 'Ends a running replay; nothing it found is kept. Scope operator.admin.',
  data: z.object({ jobId: z.string().min(1).max(64) }),
  response: ReplayJob,
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ jobId: 'rpl_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

/** One rule that was looked at, in the order of the stages. */
export const ExplainedStep = z.object({
  stage: z.string(),
  rule: z.string(),
  verdict: z.enum(['pass', 'defer', 'stop']),
  version: z.number().int().optional().describe('Of the policy, subscription, preference or silence that the rule comes from.'),
  input: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

export const ExplainedDecision = z.object({
  verdict: z.string(),
  reason: z.string(),
  terminal: z.boolean(),
  at: Instant,
  until: Instant.optional().describe('Of a deferred one: when it is looked at again.'),
  deliveryId: z.string().optional(),
  policyVersion: Version,
  trace: z.array(ExplainedStep),
  feedback: z.object({ useful: z.boolean(), at: Instant, note: z.string().optional() }).optional(),
});
export type ExplainedDecision = z.infer<typeof ExplainedDecision>;

/** One subscription of the user, and why it does or does not cover the event. */
export const EvaluatedSubscription = z.object({
  subscriptionId: z.string(),
  scopeKind: z.string(),
  scopeRef: z.string(),
  covers: z.boolean(),
  why: z.string().describe('A sentence.'),
});
export type EvaluatedSubscription = z.infer<typeof EvaluatedSubscription>;

export const ExplainOutcome = z
  .enum(['sent', 'inbox', 'suppressed', 'dropped', 'deferred', 'no_subscription', 'subscribed_later', 'pending', 'invalid_event', 'event_unknown'])
  .describe(
    'sent … deferred: what was decided last. no_subscription: nothing of the user covers the event. subscribed_later: something does now, but not when the event came. ' +
      'pending: on its way to the decision. invalid_event: it is not one that may be accepted. event_unknown: not found, see `search`.',
  );
export type ExplainOutcome = z.infer<typeof ExplainOutcome>;

export const explain = defineRpc({
  domain,
  name: 'explain',
  version: 1,
  summary:
    'Why an event was, was not, or is not yet delivered to a user: every decision with its trace, and what would have to change. Own events by everybody with ' +
    'operator.read; those of another user with operator.admin.',
  data: z.object({
    event: z.object({ source: z.string().max(512).optional(), id: z.string().min(1).max(512), origin: z.string().max(64).optional() }),
    user: UserId.optional().describe('Absent: the caller.'),
    near: Instant.optional().describe('About when it was published: where an event without any decision is looked for. Absent: now.'),
  }),
  response: z.object({
    outcome: ExplainOutcome,
    sentence: z.string().describe('The answer in one sentence.'),
    user: z.string(),
    event: z
      .object({ origin: z.string(), source: z.string(), id: z.string(), type: z.string(), severity: z.string().optional(), at: Instant.optional() })
      .optional(),
    others: Count.describe('Further events with this id (other sources or origins) that were decided for the user; name source and origin to see them.'),
    decisions: z.array(ExplainedDecision).describe('Oldest first, at most 97, then the first repeats of the same event.'),
    repeats: Count.describe('Decisions `duplicate_event` beyond the listed ones.'),
    toBeSent: z
      .object({ stage: z.string(), rule: z.string(), version: z.number().int().optional(), sentence: z.string() })
      .optional()
      .describe('First stage that blocked, and what would have to change for it to be sent.'),
    subscriptions: z.array(EvaluatedSubscription).describe('What was looked at, when there is no decision.'),
    search: z
      .object({ stream: z.string(), found: z.boolean(), examined: Count, oldest: Instant.optional(), newest: Instant.optional(), exhausted: z.boolean() })
      .optional()
      .describe('When the event was looked for in the stream itself. exhausted: everything that the stream still holds was looked at.'),
  }),
  timeoutMs: 10_000,
  idempotent: true,
  examples: [{ event: { source: '/crm', id: 'e-1' } }],
});

export const Suggestion = z.object({
  subscriptionId: z.string(),
  scopeKind: z.string(),
  scopeRef: z.string(),
  level: z.enum(['digest', 'critical_only', 'muted']).describe('The next quieter one.'),
  sentence: z.string(),
});
export type Suggestion = z.infer<typeof Suggestion>;

export const feedback = defineRpc({
  domain,
  name: 'feedback',
  version: 1,
  summary:
    'Says of one of the caller’s deliveries whether it was useful. Saying it again replaces it. Repeated "not useful" suggests a quieter level; nothing is changed by itself.',
  data: z.object({ deliveryId: z.string().min(1).max(128), useful: z.boolean(), note: z.string().max(1_000).optional() }),
  response: z.object({ recorded: z.boolean(), suggestions: z.array(Suggestion) }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ deliveryId: 'dlv_01', useful: false }],
});

export const pushStats = defineRpc({
  domain,
  name: 'stats',
  version: 1,
  summary: 'Decisions by reason, deliveries and feedback by subscription: of the caller, of another user or of the whole tenant (operator.admin).',
  data: z.object({
    user: UserId.optional(),
    everybody: z.boolean().default(false),
    from: Instant.optional().describe('Absent: seven days ago.'),
    to: Instant.optional(),
  }),
  response: z.object({
    from: Instant,
    to: Instant,
    user: z.string().optional(),
    decisions: z.array(z.object({ verdict: z.string(), reason: z.string(), count: Count, useful: Count, notUseful: Count })),
    subscriptions: z
      .array(
        z.object({
          subscriptionId: z.string(),
          user: z.string().optional(),
          scopeKind: z.string().optional().describe('Absent: the subscription is gone.'),
          scopeRef: z.string().optional(),
          level: z.string().optional(),
          delivered: Count,
          interrupts: Count,
          useful: Count,
          notUseful: Count,
        }),
      )
      .describe('Most deliveries first, at most 200.'),
    suggestions: z.array(Suggestion),
  }),
  timeoutMs: 20_000,
  idempotent: true,
  examples: [{}],
});
