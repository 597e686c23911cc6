import { z } from 'zod';
import { Instant, UserId } from './common.js';
import { defineCommand, defineInbound, defineRpc } from './define.js';
import { InboxItem } from './push.contracts.js';
import { Priority } from './push-policy.js';

const domain = 'push';

/** One delivery over one channel outside the inbox. `Nats-Msg-Id` = `<deliveryId>:<channel>:<level>`. */
export const deliverCommand = defineCommand({
  domain,
  name: 'deliver',
  version: 1,
  key: ['part', 'user'],
  summary: 'Sends an inbox item over a channel outside the inbox: at least once, with an idempotency key where the channel takes one.',
  data: z.object({
    user: UserId,
    deliveryId: z.string(),
    channel: z.string().max(64),
    level: z.number().int().min(0).describe('0: the first time; k: the k-th escalation.'),
    priority: Priority,
    item: InboxItem,
    decidedAt: Instant.describe('Later than `item.createdAt`: a follow-up, which is not sent when the item was seen meanwhile (level 0) or acknowledged.'),
  }),
  examples: [
    {
      user: 'me',
      deliveryId: 'dlv_01',
      channel: 'webhook',
      level: 0,
      priority: 'P1',
      decidedAt: '2026-11-21T10:00:00Z',
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

const Access = z.object({
  user: UserId,
  scopeKind: z.enum(['case', 'topic']),
  scopeRef: z.string().min(1).max(256),
  until: Instant.optional(),
});

export const accessGranted = defineInbound({
  domain: 'access',
  name: 'access-granted',
  version: 1,
  key: ['id'],
  summary: 'A user may see a case or topic. Obeyed only from the sources in `push.accessSources`; the first grant restricts the scope to holders of grants.',
  data: Access,
  examples: [{ user: 'me', scopeKind: 'case', scopeRef: 'case-7' }],
});

export const accessRevoked = defineInbound({
  domain: 'access',
  name: 'access-revoked',
  version: 1,
  key: ['id'],
  summary: 'A user may no longer see a case or topic.',
  data: Access.omit({ until: true }),
  examples: [{ user: 'me', scopeKind: 'case', scopeRef: 'case-7' }],
});

export const listAttempts = defineRpc({
  domain,
  name: 'list-attempts',
  version: 1,
  summary: "Attempts to send one of the caller's deliveries over channels outside the inbox, oldest first.",
  data: z.object({ deliveryId: z.string().min(1).max(128) }),
  response: z.object({
    attempts: z.array(
      z.object({
        channel: z.string(),
        level: z.number().int(),
        attempt: z.number().int(),
        status: z
          .enum(['sending', 'sent', 'failed', 'parked', 'skipped'])
          .describe('`sending`: under way, or its outcome was lost in a crash. `parked`: a dead letter. `skipped`: not to be sent any more.'),
        contact: z.string().optional().describe('Id of the contact; absent where the channel needs none.'),
        error: z.string().optional(),
        at: Instant,
      }),
    ),
  }),
  idempotent: true,
  examples: [{ deliveryId: 'dlv_01' }],
});
