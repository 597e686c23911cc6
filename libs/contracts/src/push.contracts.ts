import { z } from 'zod';
import { Severity } from './cloud-event.js';
import { Instant, UserId } from './common.js';
import { defineEvent, defineLive, defineRpc } from './define.js';

const domain = 'push';

export const SubscriptionScope = z.enum(['case', 'entity', 'region', 'topic', 'type', 'all']);
export const SubscriptionLevel = z.enum(['all', 'digest', 'critical_only', 'muted']);

export const SubscriptionPredicate = z
  .record(z.string(), z.unknown())
  .describe(
    'A condition over the `data` of events: {all: […]}, {any: […]}, {not: …}, or {path, op, value} with op eq, ne, gt, gte, lt, lte, in, contains, startsWith, endsWith, like (`*`) or exists. Bounded and without side effects; checked when it is written.',
  );

/** What a subscription says beside its scope. */
const terms = {
  minSeverity: Severity,
  typePatterns: z.array(z.string().min(1).max(256)).max(50),
  level: SubscriptionLevel,
  predicate: SubscriptionPredicate,
  interestText: z.string().min(1).max(2_000).describe('With it an event must also be near this text in meaning; the scope says where to look.'),
  mutedUntil: Instant.describe('With level muted: until then, and then everything again. Absent: for ever.'),
  validFrom: Instant.describe('Nothing before it is matched.'),
  validTo: Instant.describe('Nothing from then on is matched.'),
} as const;

/** What a subscription is about, and under which name: these make it unique for a user. */
const scope = {
  scopeKind: SubscriptionScope,
  scopeRef: z.string().max(256).default(''),
  name: z.string().max(64).default('').describe('Tells several subscriptions of one scope apart, such as two interests in everything.'),
} as const;

const draft = {
  ...scope,
  minSeverity: terms.minSeverity.default('low'),
  typePatterns: terms.typePatterns.default([]),
  level: terms.level.default('all'),
  predicate: terms.predicate.optional(),
  interestText: terms.interestText.optional(),
  mutedUntil: terms.mutedUntil.optional(),
  validFrom: terms.validFrom.optional(),
  validTo: terms.validTo.optional(),
} as const;

const cursor = z.string().min(1).max(256);

export const Subscription = z.object({
  id: z.string(),
  user: UserId,
  scopeKind: SubscriptionScope,
  scopeRef: z.string().max(256).describe('What is followed; empty for scope all.'),
  minSeverity: Severity,
  typePatterns: z.array(z.string().max(256)).max(50).describe('Event types with * wildcards; empty = every type.'),
  level: SubscriptionLevel,
  createdAt: Instant,
  name: z.string().optional().describe('Absent: the unnamed subscription of its scope.'),
  predicate: SubscriptionPredicate.optional(),
  interestText: z.string().optional(),
  mutedUntil: Instant.optional(),
  validFrom: Instant.optional(),
  validTo: Instant.optional(),
  version: z.number().int().min(1).optional().describe('Counts its changes; decisions name it.'),
  updatedAt: Instant.optional(),
});
export type Subscription = z.infer<typeof Subscription>;

/** One item of a user's inbox. Offsets are 1, 2, 3 … without gaps per epoch. */
export const InboxItem = z.object({
  offset: z.number().int().min(1),
  id: z.string(),
  kind: z.string(),
  priority: Severity,
  title: z.string(),
  events: z.array(
    z.object({
      id: z.string(),
      source: z.string(),
      type: z.string(),
      subject: z.string(),
      time: Instant,
      summary: z.string().optional(),
      data: z.unknown().optional(),
    }),
  ),
  reasons: z.array(z.object({ subscriptionId: z.string(), method: z.enum(['rule', 'semantic', 'llm']) })),
  state: z.enum(['new', 'seen', 'read', 'done']),
  createdAt: Instant,
  urgency: z.enum(['P0', 'P1', 'P2', 'P3']).optional().describe('How it was decided to interrupt; absent for items from before policies.'),
  interrupt: z.boolean().optional().describe('False: it only fills the inbox.'),
  repeats: z.number().int().min(0).optional().describe('How often the same happened again since.'),
  resolvedAt: Instant.optional().describe('What it is about is over.'),
  acknowledgedAt: Instant.optional(),
  acknowledgedBy: z.string().optional(),
  escalates: z.string().optional().describe('Of kind escalation: the delivery that nobody acknowledged. Whoever acknowledges one acknowledges both.'),
});
export type InboxItem = z.infer<typeof InboxItem>;

export const subscribe = defineRpc({
  domain,
  name: 'subscribe',
  version: 1,
  summary: 'Follows something for the calling user. The same scope and name again replace what was said about it instead of doubling it.',
  data: z.object(draft),
  response: z.object({ subscription: Subscription, created: z.boolean() }),
  idempotent: true,
  errors: ['QUOTA_EXCEEDED'],
  examples: [{ scopeKind: 'case', scopeRef: 'case-7' }],
});

export const getSubscription = defineRpc({
  domain,
  name: 'get-subscription',
  version: 1,
  summary: "One of the caller's subscriptions.",
  data: z.object({ id: z.string().min(1).max(64) }),
  response: z.object({ subscription: Subscription }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'sub_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const updateSubscription = defineRpc({
  domain,
  name: 'update-subscription',
  version: 1,
  summary: "Changes what one of the caller's subscriptions says; what is absent stays, null takes it away. Its scope and name stay.",
  data: z.object({
    id: z.string().min(1).max(64),
    baseVersion: z.number().int().min(1).optional().describe('Refused with CONFLICT when it has changed since.'),
    minSeverity: terms.minSeverity.optional(),
    typePatterns: terms.typePatterns.optional(),
    level: terms.level.optional(),
    predicate: terms.predicate.nullable().optional(),
    interestText: terms.interestText.nullable().optional(),
    mutedUntil: terms.mutedUntil.nullable().optional(),
    validFrom: terms.validFrom.nullable().optional(),
    validTo: terms.validTo.nullable().optional(),
  }),
  response: z.object({ subscription: Subscription, changed: z.boolean() }),
  idempotent: true,
  errors: ['NOT_FOUND', 'CONFLICT', 'QUOTA_EXCEEDED'],
  examples: [{ id: 'sub_01jd2x3y4z5a6b7c8d9e0f1g2h', level: 'muted', mutedUntil: '2026-11-22T08:00:00Z' }],
});

export const importSubscriptions = defineRpc({
  domain,
  name: 'import-subscriptions',
  version: 1,
  summary:
    'One page of subscriptions of many users: all of it or nothing, with a report for each row. Repeating a page changes nothing. Role service, or scope operator.admin.',
  data: z.object({
    rows: z
      .array(z.object({ ...draft, user: UserId, remove: z.boolean().default(false).describe('The subscription of this scope and name goes away.') }))
      .min(1)
      .max(500),
    check: z.boolean().default(false).describe('Only say what would happen.'),
  }),
  response: z.object({
    applied: z.boolean().describe('False: nothing was changed, because a row was refused or because it was only a check.'),
    created: z.number().int().min(0),
    updated: z.number().int().min(0),
    unchanged: z.number().int().min(0),
    removed: z.number().int().min(0),
    refused: z.number().int().min(0),
    rows: z.array(
      z.object({
        outcome: z.enum(['created', 'updated', 'unchanged', 'removed', 'refused']),
        id: z.string().optional(),
        code: z.string().optional(),
        message: z.string().optional(),
      }),
    ),
  }),
  idempotent: true,
  timeoutMs: 30_000,
  errors: ['FORBIDDEN', 'MISSING_SCOPE'],
  examples: [{ rows: [{ user: 'me', scopeKind: 'case', scopeRef: 'case-7' }] }],
});

export const unsubscribe = defineRpc({
  domain,
  name: 'unsubscribe',
  version: 1,
  summary: "Removes one of the caller's subscriptions.",
  data: z.object({ id: z.string().min(1).max(64) }),
  response: z.object({ removed: z.boolean() }),
  idempotent: true,
  examples: [{ id: 'sub_01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const listSubscriptions = defineRpc({
  domain,
  name: 'list-subscriptions',
  version: 1,
  summary: "Lists the caller's subscriptions, oldest first. A page ends early when they are large; `nextCursor` leads on.",
  data: z.object({
    scopeKind: SubscriptionScope.optional(),
    scopeRef: z.string().max(256).optional(),
    limit: z.number().int().min(1).max(500).default(500),
    cursor: cursor.optional(),
  }),
  response: z.object({ subscriptions: z.array(Subscription), nextCursor: z.string().optional() }),
  idempotent: true,
  examples: [{}],
});

export const fetchInbox = defineRpc({
  domain,
  name: 'inbox-fetch',
  version: 1,
  summary: "Reads the caller's inbox behind an offset, oldest first (`after`), or its newest items, newest first (without `after`).",
  data: z.object({
    after: z.number().int().min(0).optional(),
    before: z.number().int().min(1).optional().describe('Only offsets below it: to page back through the newest. Not with `after`.'),
    limit: z.number().int().min(1).max(200).default(50),
    states: z
      .array(z.enum(['new', 'seen', 'read', 'done']))
      .max(4)
      .optional()
      .describe('Only items in one of these states. `new` and `seen` are what is unread.'),
    priorities: z.array(Severity).max(4).optional(),
    kinds: z.array(z.string().min(1).max(64)).max(10).optional(),
  }),
  response: z.object({
    epoch: z.string(),
    head: z.number().int().min(0),
    unread: z.number().int().min(0),
    items: z.array(InboxItem),
    minOffset: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('Items up to and including this offset are not kept any more: whoever has read less has missed some and begins anew.'),
  }),
  idempotent: true,
  examples: [{ after: 0 }],
});

export const markInbox = defineRpc({
  domain,
  name: 'inbox-mark',
  version: 1,
  summary: 'Marks items as seen, read or done (by id), or everything up to an offset as seen. Marks only move forward.',
  data: z.object({ ids: z.array(z.string().max(128)).max(500).default([]), upTo: z.number().int().min(0).optional(), state: z.enum(['seen', 'read', 'done']) }),
  response: z.object({ changed: z.number().int().min(0), unread: z.number().int().min(0) }),
  idempotent: true,
  examples: [{ ids: ['dlv_01'], state: 'read' }],
});

export const ackInbox = defineRpc({
  domain,
  name: 'inbox-ack',
  version: 1,
  summary: 'Acknowledges one item, or everything up to an offset: it counts as read, its escalation and its follow-ups on other channels stop.',
  data: z.object({ deliveryId: z.string().min(1).max(128).optional(), upTo: z.number().int().min(0).optional() }),
  response: z.object({ acknowledged: z.number().int().min(0), unread: z.number().int().min(0) }),
  idempotent: true,
  examples: [{ deliveryId: 'dlv_01' }],
});

export const inboxHeads = defineRpc({
  domain,
  name: 'inbox-heads',
  version: 1,
  summary: 'Heads of several users at once, for gateways: so that a lost last hint is noticed within one interval. Role service only.',
  data: z.object({ users: z.array(UserId).max(2_000) }),
  response: z.object({ heads: z.array(z.object({ user: UserId, epoch: z.string(), head: z.number().int().min(0) })) }),
  idempotent: true,
  examples: [{ users: ['me'] }],
});

export const inboxItemHint = defineLive({
  domain: 'inbox',
  name: 'item',
  version: 1,
  key: ['user'],
  summary: 'A new item is in the inbox. Only a hint: the inbox is the truth.',
  data: z.object({ epoch: z.string(), offset: z.number().int().min(1), item: InboxItem }),
  examples: [
    {
      epoch: '01jd2x3y4z5a6b7c8d9e0f1g2h',
      offset: 1,
      item: {
        offset: 1,
        id: 'dlv_01',
        kind: 'notification',
        priority: 'medium',
        title: 'Import finished',
        events: [],
        reasons: [],
        state: 'new',
        createdAt: '2026-11-21T10:00:00Z',
      },
    },
  ],
});

/** What changed about items that were there before. */
export const InboxChange = InboxItem.pick({ offset: true, id: true, state: true, repeats: true, resolvedAt: true, acknowledgedAt: true });
export type InboxChange = z.infer<typeof InboxChange>;

export const inboxChangedHint = defineLive({
  domain: 'inbox',
  name: 'changed',
  version: 1,
  key: ['user'],
  summary: 'Items were marked, acknowledged, repeated or resolved. Only a hint: the inbox is the truth. More than 100 changes are not listed.',
  data: z.object({ epoch: z.string(), unread: z.number().int().min(0), changes: z.array(InboxChange).max(100), more: z.boolean().default(false) }),
  examples: [{ epoch: '01jd2x3y4z5a6b7c8d9e0f1g2h', unread: 3, changes: [{ offset: 1, id: 'dlv_01', state: 'read' }], more: false }],
});

export const delivered = defineEvent({
  domain,
  name: 'delivered',
  version: 1,
  key: ['user'],
  summary: 'A delivery was decided and written to an inbox.',
  data: z.object({
    user: UserId,
    deliveryId: z.string(),
    offset: z.number().int().min(1),
    priority: Severity,
    events: z.array(z.object({ source: z.string(), id: z.string() })),
  }),
  examples: [{ user: 'me', deliveryId: 'dlv_01', offset: 1, priority: 'medium', events: [{ source: '/crm', id: 'e-1' }] }],
});
