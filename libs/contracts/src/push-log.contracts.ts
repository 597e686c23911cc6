import { z } from 'zod';
import { Severity } from './cloud-event.js';
import { Instant } from './common.js';
import { defineLog } from './define.js';
import { SubscriptionLevel, SubscriptionScope } from './push.contracts.js';
import { PushPolicy } from './push-policy.js';
import { LabelMatcher, Preference, QuietHours } from './push-words.js';

/**
 * Push's ordered log: everything that may change a decision, in the one order in which it is decided. Written by push alone.
 * Subject: `plexus.log.<tenant>.push.<kind>.v1.<part>.<user>`; user `_` = concerns everybody, once in each partition.
 */

export { LabelMatcher, Preference, PreferenceMatch, QuietHours } from './push-words.js';

const domain = 'push';
const key = ['part', 'user'] as const;
const Milliseconds = z.number().int().min(0);

/** How many partitions the log has. Fixed for the life of the stream: ownership scales, not the count. */
export const PUSH_PARTITIONS = 64;

/** An event as decisions see it: plain data, whatever its publisher wrote, bounded. */
export const LogEvent = z.object({
  key: z.string().min(1).max(64).describe('Identity of (tenant, source token, CloudEvents source, id), hashed.'),
  origin: z.string().describe('Source token of the subject it was published on.'),
  source: z.string(),
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  severity: Severity,
  occurredAt: Instant,
  expiresAt: Milliseconds.optional(),
  dedupKey: z.string().optional(),
  groupKey: z.string().optional(),
  state: z.enum(['firing', 'resolved']).optional(),
  summary: z.string().optional(),
  caseId: z.string().optional(),
  entities: z.array(z.string()),
  regions: z.array(z.string()),
  topics: z.array(z.string()),
  data: z.unknown().optional().describe('Left out above 16 KiB.'),
});
export type LogEvent = z.infer<typeof LogEvent>;

/** One subscription that covers the event, as it was when the event was matched. */
export const LogHit = z.object({
  subscriptionId: z.string(),
  version: z.number().int().min(1),
  scopeKind: SubscriptionScope,
  scopeRef: z.string(),
  minSeverity: Severity,
  level: SubscriptionLevel,
  mutedUntil: Milliseconds.optional().describe('With level muted: until then; absent = for ever.'),
  method: z.enum(['rule', 'semantic', 'llm']),
  score: z.number().min(0).max(1),
});
export type LogHit = z.infer<typeof LogHit>;

export const candidateLogged = defineLog({
  domain,
  name: 'candidate',
  version: 1,
  key,
  summary: 'An event concerns a user. Several hits are one candidate with the best score.',
  data: z.object({
    event: LogEvent,
    hits: z.array(LogHit).min(1).max(500),
    score: z.number().min(0).max(1).describe('Send-worthiness: an input, never computed by the decider.'),
    agent: z.string().optional().describe('The agent run that caused the event; its budget is counted.'),
    note: z.string().max(500).optional().describe('Why interests in words of this user were not compared with the event; for the trace.'),
  }),
  examples: [
    {
      event: {
        key: 'k1',
        origin: 'crm',
        source: '/crm',
        id: 'e-1',
        type: 'dev.plexus.crm.contact-updated.v1',
        subject: 'cnt_81f2',
        severity: 'medium',
        occurredAt: '2026-11-21T10:00:00Z',
        caseId: 'case-7',
        entities: [],
        regions: [],
        topics: [],
      },
      hits: [{ subscriptionId: 'sub_1', version: 1, scopeKind: 'case', scopeRef: 'case-7', minSeverity: 'low', level: 'all', method: 'rule', score: 1 }],
      score: 1,
    },
  ],
});

export const ackLogged = defineLog({
  domain,
  name: 'ack',
  version: 1,
  key,
  summary: 'Somebody acknowledged a delivery: its escalation stops.',
  data: z.object({ deliveryId: z.string(), by: z.string() }),
  examples: [{ deliveryId: 'dlv_01', by: 'me' }],
});

export const readLogged = defineLog({
  domain,
  name: 'read',
  version: 1,
  key,
  summary: 'Items were seen, read or done: their follow-up on other channels stops.',
  data: z.object({ deliveryIds: z.array(z.string()).max(500), upTo: z.number().int().min(0).optional(), state: z.enum(['seen', 'read', 'done']) }),
  examples: [{ deliveryIds: ['dlv_01'], state: 'seen' }],
});

export const preferenceLogged = defineLog({
  domain,
  name: 'preference',
  version: 1,
  key,
  summary: "A user's preferences or quiet hours as they are from here on (the whole of them); user `_`: the tenant's defaults.",
  data: z.object({ preferences: z.array(Preference).max(500), quietHours: QuietHours.optional(), version: z.number().int().min(1) }),
  examples: [{ preferences: [{ id: 'p1', match: {}, channel: '*', value: 'off' }], version: 1 }],
});

export const timerLogged = defineLog({
  domain,
  name: 'timer',
  version: 1,
  key,
  summary: 'Something fell due. Decided at `dueAt`, however late it arrives; a repeat is harmless.',
  data: z.object({ timerId: z.string(), dueAt: Milliseconds }),
  examples: [{ timerId: 'flush:g1', dueAt: 1_795_000_000_000 }],
});

export const policyLogged = defineLog({
  domain,
  name: 'policy',
  version: 1,
  key,
  summary: 'A policy is active from here on.',
  data: z.object({ version: z.number().int().min(0).describe('0: the built-in policy decides again.'), body: PushPolicy }),
  examples: [{ version: 1, body: { name: 'default' } }],
});

export const silenceLogged = defineLog({
  domain,
  name: 'silence',
  version: 1,
  key,
  summary: 'A silence was made, changed or removed. All of its matchers must hold; `[from, to)`.',
  data: z.object({
    id: z.string(),
    matchers: z.array(LabelMatcher).min(1).max(20),
    from: Milliseconds,
    to: Milliseconds,
    includeCritical: z.boolean(),
    removed: z.boolean().default(false),
  }),
  examples: [{ id: 'sil_1', matchers: [{ label: 'case', op: '=', value: 'case-7' }], from: 0, to: 600_000, includeCritical: false }],
});

export const grantLogged = defineLog({
  domain,
  name: 'grant',
  version: 1,
  key,
  summary: 'Who may see a scope. For user `_` with `restricted`: from here on only who holds a grant; before, everyone in the tenant.',
  data: z.object({
    scopeKind: z.enum(['case', 'topic']),
    scopeRef: z.string().max(256),
    change: z.enum(['granted', 'revoked', 'restricted', 'unrestricted']),
    until: Milliseconds.optional(),
  }),
  examples: [{ scopeKind: 'case', scopeRef: 'case-7', change: 'revoked' }],
});

export const subscriptionLogged = defineLog({
  domain,
  name: 'subscription',
  version: 1,
  key,
  summary: 'A subscription changed: what is parked because of it follows the change.',
  data: z.object({
    id: z.string(),
    version: z.number().int().min(1),
    level: SubscriptionLevel,
    mutedUntil: Milliseconds.optional(),
    minSeverity: Severity,
    removed: z.boolean().default(false),
  }),
  examples: [{ id: 'sub_1', version: 2, level: 'muted', minSeverity: 'low' }],
});

export const PUSH_LOG = {
  candidateLogged,
  ackLogged,
  readLogged,
  preferenceLogged,
  timerLogged,
  policyLogged,
  silenceLogged,
  grantLogged,
  subscriptionLogged,
} as const;
