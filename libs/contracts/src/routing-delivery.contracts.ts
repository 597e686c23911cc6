import { z } from 'zod';
import { IdempotencyKey, Instant, SessionKey, Ulid } from './common.js';
import { defineEvent, defineRpc } from './define.js';
import { Peer } from './routing-fields.js';

const domain = 'routing';

const Attachment = z.object({
  kind: z.string().max(32),
  url: z.string().max(4_096).optional(),
  name: z.string().max(256).optional(),
  mimeType: z.string().max(128).optional(),
});

const OutboundTarget = {
  channel: z.string().min(1).max(64),
  to: z.string().min(1).max(512).describe('As the channel writes targets: `telegram:42`, `channel:C01`, `+4912345`.'),
  accountId: z.string().max(128).optional().describe('Absent: the account that the agent is bound to, else the default one.'),
  agentId: z.string().max(64).optional().describe('Absent: the agent of the session key, else the default agent.'),
  threadId: z.string().max(256).optional(),
  replyToId: z.string().max(256).optional(),
  resolvedTarget: z.object({ kind: z.enum(['user', 'group', 'channel']), to: z.string().max(512).optional() }).optional(),
};

/** Where an outbound message goes and which session shows it. */
export const OutboundRoute = z.object({
  channel: z.string(),
  accountId: z.string(),
  agentId: z.string(),
  sessionKey: SessionKey,
  baseSessionKey: SessionKey,
  peer: Peer,
  chatType: z.string(),
  from: z.string(),
  to: z.string(),
  threadId: z.string().optional(),
});
export type OutboundRoute = z.infer<typeof OutboundRoute>;

export const resolveOutbound = defineRpc({
  domain,
  name: 'resolve-outbound',
  version: 1,
  summary: "Says to which session an outbound message belongs and how its target is written. Bindings are never consulted; the agent is the caller's.",
  data: z.object(OutboundTarget),
  response: z.object({ route: OutboundRoute.optional().describe('Absent when the target is none of that channel.') }),
  idempotent: true,
  examples: [{ channel: 'telegram', to: 'telegram:42' }],
});

export const SendState = z.enum(['waiting', 'sending', 'sent', 'failed']);

export const SendSummary = z.object({
  sendId: Ulid,
  status: SendState,
  channel: z.string(),
  accountId: z.string().describe('The account that sent it, or will be tried first.'),
  to: z.string(),
  threadId: z.string().optional(),
  sessionKey: SessionKey.optional().describe('Session that shows the message.'),
  attempts: z.number().int().min(0),
  messageId: z.string().optional().describe('Id that the channel gave it.'),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  createdAt: Instant,
  endedAt: Instant.optional(),
});
export type SendSummary = z.infer<typeof SendSummary>;

export const sendMessage = defineRpc({
  domain,
  name: 'send',
  version: 1,
  summary:
    'Sends a message to a chat channel and shows it in the session of its target. Answered once the intent is committed; `get-send` tells the outcome. Repeating the idempotency key returns the same send.',
  data: z.object({
    ...OutboundTarget,
    text: z.string().max(100_000).optional(),
    attachments: z.array(Attachment).max(32).optional(),
    sessionKey: SessionKey.optional().describe('Shows the message in this session instead of the one of the target.'),
    idempotencyKey: IdempotencyKey,
    silent: z.boolean().optional(),
    dryRun: z.boolean().default(false).describe('Resolves and checks only: nothing is sent, stored or shown.'),
    deadlineMs: z.number().int().min(1_000).max(86_400_000).optional().describe('How long it is tried; absent: as configured.'),
    currentChannelId: z.string().max(256).optional().describe('With the two below: where the agent is talking right now, for threads in Slack.'),
    currentThreadId: z.string().max(256).optional(),
    replyToMode: z.enum(['off', 'first', 'all']).optional(),
    hasReplied: z.boolean().optional(),
  }),
  response: z.object({ send: SendSummary.optional().describe('Absent on a dry run.'), route: OutboundRoute.optional(), cached: z.boolean() }),
  idempotent: true,
  errors: ['CONFLICT', 'CHANNEL_NOT_CONFIGURED', 'INVALID_TARGET'],
  examples: [{ channel: 'telegram', to: 'telegram:42', text: 'The build is green.', idempotencyKey: 'build-812' }],
});

export const getSend = defineRpc({
  domain,
  name: 'get-send',
  version: 1,
  summary: "Returns one of the caller's sends with its outcome.",
  data: z.object({ sendId: Ulid }),
  response: z.object({ send: SendSummary.optional() }),
  idempotent: true,
  examples: [{ sendId: '01jd2x3y4z5a6b7c8d9e0f1g2h' }],
});

export const AccountHealth = z.object({
  channel: z.string(),
  accountId: z.string(),
  breaker: z.enum(['closed', 'open', 'half_open']),
  score: z.number().min(0).max(1),
  failures: z.number().int().min(0).describe('In a row.'),
  lastFailureAt: Instant.optional(),
  lastSuccessAt: Instant.optional(),
});

export const channelHealth = defineRpc({
  domain,
  name: 'channel-health',
  version: 1,
  summary: 'Breaker and health of every channel account that is configured, best first within a channel.',
  data: z.object({ channel: z.string().max(64).optional() }),
  response: z.object({ accounts: z.array(AccountHealth) }),
  idempotent: true,
  examples: [{}],
});

const BreakerFact = z.object({
  channel: z.string(),
  account: z.string(),
  event: z.string().describe('relay.circuit_breaker.open, relay.circuit_breaker.half_open or relay.circuit_breaker.close.'),
  failures: z.number().int().min(0),
  reason: z.string().optional().describe('Classified reason of the last failure.'),
  at: Instant,
});
const breakerExample = (event: string) => ({ channel: 'telegram', account: 'work', event, failures: 5, reason: 'timeout', at: '2026-11-21T10:00:00Z' });

export const breakerOpened = defineEvent({
  domain,
  name: 'breaker-opened',
  version: 1,
  key: ['account'],
  summary: 'A channel account failed too often in a row; it is left alone until its reset time is over.',
  data: BreakerFact,
  examples: [breakerExample('relay.circuit_breaker.open')],
});

export const breakerHalfOpened = defineEvent({
  domain,
  name: 'breaker-half-opened',
  version: 1,
  key: ['account'],
  summary: 'One message is tried on a channel account that was left alone.',
  data: BreakerFact,
  examples: [breakerExample('relay.circuit_breaker.half_open')],
});

export const breakerClosed = defineEvent({
  domain,
  name: 'breaker-closed',
  version: 1,
  key: ['account'],
  summary: 'A channel account works again.',
  data: BreakerFact,
  examples: [breakerExample('relay.circuit_breaker.close')],
});
