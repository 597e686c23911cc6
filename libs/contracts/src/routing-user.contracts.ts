import { z } from 'zod';
import { Instant, Ulid, UserId } from './common.js';
import { defineEvent, defineRpc } from './define.js';

/** Services that keep something of a person and answer an erasure with a receipt. */
export const ERASING_SERVICES = ['routing', 'push', 'memory', 'scheduler'] as const;

const Counts = z.record(z.string(), z.number().int().min(0)).describe('What was erased, by kind.');

export const eraseRequested = defineEvent({
  domain: 'user',
  name: 'erase-requested',
  version: 1,
  key: ['erasureId'],
  summary: 'Forget this person: every service erases what it keeps of the user and answers with `user.erased`. May come more than once.',
  data: z.object({ erasureId: Ulid, user: UserId, requestedBy: z.string(), at: Instant }),
  examples: [{ erasureId: '01jd2x3y4z5a6b7c8d9e0f1g2h', user: 'ada', requestedBy: 'admin', at: '2026-11-21T10:00:00Z' }],
});

export const userErased = defineEvent({
  domain: 'user',
  name: 'erased',
  version: 1,
  key: ['erasureId'],
  summary: 'Receipt of one service for an erasure; `problem` says what could not be erased.',
  data: z.object({ erasureId: Ulid, user: UserId, service: z.string().max(64), counts: Counts, problem: z.string().max(500).optional(), at: Instant }),
  examples: [{ erasureId: '01jd2x3y4z5a6b7c8d9e0f1g2h', user: 'ada', service: 'routing', counts: { sessions: 2 }, at: '2026-11-21T10:00:03Z' }],
});

const ErasureReceipt = z.object({ service: z.string(), counts: Counts, problem: z.string().optional(), at: Instant });

const Erasure = z.object({
  erasureId: Ulid,
  user: UserId,
  requestedAt: Instant,
  receipts: z.array(ErasureReceipt),
  missing: z.array(z.string()).describe('Services whose receipt is still awaited.'),
  complete: z.boolean(),
});

export const eraseUser = defineRpc({
  domain: 'routing',
  name: 'erase-user',
  version: 1,
  summary: 'Starts the erasure of a person in every service. Needs operator.admin; cannot be undone.',
  data: z.object({ user: UserId }),
  response: Erasure,
  examples: [{ user: 'ada' }],
});

export const getErasure = defineRpc({
  domain: 'routing',
  name: 'get-erasure',
  version: 1,
  summary: 'Which services have erased, and whose receipt is missing.',
  data: z.object({ erasureId: Ulid }),
  response: Erasure,
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ erasureId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});
