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
  data: z.object({ after: z.number().int().min(0).optional(), limit: z.number().int().min(1).max(200).default(50) }),
  response: z.object({ epoch: z.string(), head: z.number().int().min(0), unread: z.number().int().min(0), items: z.array(InboxItem) }),
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
