import { z } from 'zod';
import { Severity } from './cloud-event.js';
import { Instant, UserId } from './common.js';
import { defineEvent, defineLive, defineRpc } from './define.js';

const domain = 'push';

export const SubscriptionScope = z.enum(['case', 'entity', 'region', 'topic', 'type', 'all']);
export const SubscriptionLevel = z.enum(['all', 'digest', 'critical_only', 'muted']);

export const Subscription = z.object({
  id: z.string(),
  user: UserId,
  scopeKind: SubscriptionScope,
  scopeRef: z.string().max(256).describe('What is followed; empty for scope all.'),
  minSeverity: Severity,
  typePatterns: z.array(z.string().max(256)).max(50).describe('Event types with * wildcards; empty = every type.'),
  level: SubscriptionLevel,
  createdAt: Instant,
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
});
export type InboxItem = z.infer<typeof InboxItem>;

export const subscribe = defineRpc({
  domain,
  name: 'subscribe',
  version: 1,
  summary: 'Follows something for the calling user. The same scope again updates the subscription instead of doubling it.',
  data: z.object({
    scopeKind: SubscriptionScope,
    scopeRef: z.string().max(256).default(''),
    minSeverity: Severity.default('low'),
    typePatterns: z.array(z.string().min(1).max(256)).max(50).default([]),
    level: SubscriptionLevel.default('all'),
  }),
  response: z.object({ subscription: Subscription, created: z.boolean() }),
  idempotent: true,
  examples: [{ scopeKind: 'case', scopeRef: 'case-7' }],
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
  summary: "Lists the caller's subscriptions.",
  data: z.object({}),
  response: z.object({ subscriptions: z.array(Subscription) }),
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
