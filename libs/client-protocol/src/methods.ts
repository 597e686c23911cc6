import { z } from 'zod';
import { method, SCOPE } from './define-method.js';
import { CRON_METHODS } from './cron-methods.js';
import { NODE_METHODS } from './node-methods.js';

/**
 * Every method of the gateway: the scope it needs and the parameters it takes. Unknown parameters are stripped, `null` is no absent
 * value here: a wrong one is answered with its path.
 */

const sessionKey = z.string().trim().min(1).max(512);
/** Letters, digits and `_` are what remains of an id; where nothing remains nobody is meant, least of all the default agent. */
const agentId = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/[a-z0-9_]/i, 'names no agent')
  .optional();
/** Owner of a session that is shared with the caller; absent: the caller. */
const owner = z.string().min(1).max(256).optional();
const messageText = z.string().min(1).max(200_000);
/** Content is base64, with or without a `data:` prefix; or, as models take it, in `source`. What is accepted is said by `policy.attachments`. */
const attachments = z
  .array(
    z.object({
      type: z.string().max(64).optional(),
      mimeType: z.string().max(256).optional(),
      fileName: z.string().max(1_024).optional(),
      content: z.string().optional(),
      source: z.object({ type: z.literal('base64'), media_type: z.string().max(256).optional(), data: z.string() }).optional(),
    }),
  )
  .max(64)
  .optional();
const idempotencyKey = z.string().trim().min(1).max(256);
const runTimeoutMs = z.number().int().min(0).max(3_600_000).optional();
const sessionMessage = z.object({
  key: sessionKey,
  message: z.string().max(200_000).describe('May be empty beside attachments.'),
  idempotencyKey: idempotencyKey.optional(),
  agentId,
  timeoutMs: runTimeoutMs,
  attachments,
});
const severity = z.enum(['low', 'medium', 'high', 'critical']);
const nothing = z.object({}).optional().default({});

const sessionsListParams = z
  .object({
    limit: z.number().int().min(1).max(500).optional(),
    offset: z.number().int().min(0).optional(),
    search: z.string().max(256).optional(),
    agentId,
    includeLastMessage: z.boolean().optional(),
  })
  .optional()
  .default({});

/** Days of UTC, both included; without dates the last `days` (30). */
const usagePeriod = {
  startDate: z.iso.date().optional(),
  endDate: z.iso.date().optional(),
  days: z.number().int().min(1).max(366).optional(),
};

const memoryScope = z.object({ kind: z.enum(['user', 'session', 'agent', 'shared']), id: z.string().min(1).max(512) });
const memoryKind = z.enum(['fact', 'preference', 'episode', 'summary', 'note']);

export const METHODS = {
  health: method(undefined, nothing),
  status: method(SCOPE.read, nothing),
  'system-presence': method(SCOPE.read, nothing),

  'logs.tail': method(
    SCOPE.read,
    z
      .object({
        cursor: z.number().int().min(0).optional(),
        limit: z.number().int().min(1).max(5_000).optional(),
        maxBytes: z.number().int().min(1).max(1_000_000).optional(),
      })
      .optional()
      .default({}),
  ),

  'chat.send': method(
    SCOPE.write,
    z.object({
      sessionKey,
      message: z.string().max(200_000).describe('May be empty beside attachments.'),
      idempotencyKey,
      agentId,
      timeoutMs: runTimeoutMs,
      attachments,
      extraSystemPrompt: z.string().max(20_000).optional(),
      queueMode: z.enum(['collect', 'steer', 'followup', 'interrupt']).optional(),
      on_client_disconnect: z.enum(['cancel', 'continue']).optional().describe('What becomes of the run when nobody watches it any more.'),
      owner,
    }),
  ),
  'chat.history': method(
    SCOPE.read,
    z.object({
      sessionKey,
      owner,
      limit: z.number().int().min(1).max(1_000).optional(),
      offset: z.number().int().min(0).optional(),
      cursor: z.string().max(64).optional(),
      messageId: z.string().min(1).max(64).optional().describe('The page around this message; it must be among the newest 5,000.'),
      maxChars: z.number().int().min(1).max(1_000_000).optional(),
    }),
  ),
  'chat.inject': method(SCOPE.admin, z.object({ sessionKey, message: messageText, label: z.string().max(100).optional() })),
  'chat.abort': method(SCOPE.write, z.object({ sessionKey, runId: z.string().min(1).max(256).optional() })),

  'sessions.list': method(SCOPE.read, sessionsListParams),
  'sessions.create': method(
    SCOPE.write,
    z
      .object({ key: sessionKey.optional(), label: z.string().max(100).optional(), message: messageText.optional(), agentId })
      .optional()
      .default({}),
  ),
  'sessions.reset': method(SCOPE.admin, z.object({ key: sessionKey, reason: z.enum(['new', 'reset']).optional() })),
  'sessions.describe': method(SCOPE.read, z.object({ key: sessionKey, agentId })),
  'sessions.resolve': method(SCOPE.read, z.object({ key: sessionKey, agentId })),
  'sessions.patch': method(
    SCOPE.write,
    z.object({ key: sessionKey, label: z.string().max(100).nullable().optional(), displayName: z.string().max(200).nullable().optional() }),
  ),
  'sessions.send': method(SCOPE.write, sessionMessage),
  'sessions.steer': method(SCOPE.write, sessionMessage),
  'sessions.abort': method(SCOPE.write, z.object({ key: sessionKey.optional(), runId: z.string().min(1).max(256).optional() })),
  'sessions.delete': method(SCOPE.admin, z.object({ key: sessionKey })),
  'sessions.preview': method(
    SCOPE.read,
    z.object({
      keys: z.array(sessionKey).min(1).max(64),
      limit: z.number().int().min(1).max(12).optional(),
      maxChars: z.number().int().min(1).max(1_000).optional(),
    }),
  ),
  'sessions.subscribe': method(SCOPE.read, sessionsListParams),
  'sessions.unsubscribe': method(SCOPE.read, nothing),
  'sessions.messages.subscribe': method(SCOPE.read, z.object({ key: sessionKey, agentId, owner })),
  'sessions.messages.unsubscribe': method(SCOPE.read, z.object({ key: sessionKey, agentId, owner })),

  send: method(
    SCOPE.write,
    z.object({
      to: z.string().trim().min(1).max(512),
      idempotencyKey,
      message: z.string().max(100_000).optional(),
      channel: z.string().trim().min(1).max(64),
      accountId: z.string().max(128).optional(),
      agentId,
      threadId: z.string().max(256).optional(),
      replyToId: z.string().max(256).optional(),
      sessionKey: sessionKey.optional(),
      mediaUrl: z.string().max(2_048).optional(),
      mediaUrls: z.array(z.string().max(2_048)).max(20).optional(),
    }),
  ),

  'message.action': method(
    SCOPE.write,
    z.object({
      channel: z.string().trim().min(1).max(64),
      action: z.string().trim().min(1).max(64),
      params: z.record(z.string().max(128), z.unknown()),
      accountId: z.string().max(128).optional(),
      sessionKey: sessionKey.optional(),
      agentId,
      reply: z.looseObject({ replyToId: z.string().min(1).max(256) }).optional(),
      idempotencyKey,
    }),
  ),
  'channels.status': method(
    SCOPE.read,
    z
      .object({ channel: z.string().trim().min(1).max(64).optional(), probe: z.boolean().optional(), timeoutMs: z.number().int().min(0).optional() })
      .optional()
      .default({}),
  ),

  'agents.list': method(SCOPE.read, nothing),
  agent: method(
    SCOPE.write,
    z.object({
      message: z.string().max(200_000).describe('May be empty beside attachments.'),
      idempotencyKey,
      sessionKey: sessionKey.optional(),
      agentId,
      attachments,
      timeout: z.number().min(0).max(3_600).optional().describe('Seconds.'),
      extraSystemPrompt: z.string().max(20_000).optional(),
    }),
  ),
  'agent.wait': method(SCOPE.write, z.object({ runId: z.string().min(1).max(256), timeoutMs: z.number().int().min(0).max(3_600_000).optional() })),
  wake: method(SCOPE.write, z.object({ mode: z.enum(['now', 'next-heartbeat']), text: messageText, sessionKey: sessionKey.optional(), agentId })),
  'models.list': method(SCOPE.read, nothing),
  'commands.list': method(SCOPE.read, nothing),
  'question.list': method(SCOPE.questions, nothing),
  'plugin.approval.list': method(SCOPE.approvals, nothing),
  'exec.approval.list': method(SCOPE.approvals, nothing),
  'device.pair.list': method(SCOPE.pairing, nothing),
  'last-heartbeat': method(SCOPE.read, nothing),
  'config.get': method(SCOPE.read, nothing),
  'config.schema': method(SCOPE.read, nothing),
  'skills.status': method(SCOPE.read, nothing),
  'usage.status': method(SCOPE.read, nothing),
  'usage.cost': method(SCOPE.read, z.object(usagePeriod).optional().default({})),
  'sessions.usage': method(
    SCOPE.read,
    z
      .object({ ...usagePeriod, key: sessionKey.optional(), limit: z.number().int().min(1).max(500).optional() })
      .optional()
      .default({}),
  ),
  'agent.identity.get': method(SCOPE.read, z.object({ agentId, sessionKey: sessionKey.optional() }).optional().default({})),

  'inbox.resume': method(
    SCOPE.read,
    z
      .object({ cursor: z.string().max(128).optional() })
      .optional()
      .default({}),
  ),
  'inbox.list': method(
    SCOPE.read,
    z
      .object({ after: z.number().int().min(0).optional(), limit: z.number().int().min(1).max(200).optional() })
      .optional()
      .default({}),
  ),
  'inbox.ack': method(
    SCOPE.read,
    z
      .object({ offset: z.number().int().min(0).optional(), deliveryId: z.string().min(1).max(128).optional() })
      .refine(({ offset, deliveryId }) => (offset === undefined) !== (deliveryId === undefined), { error: 'needs either offset or deliveryId' }),
  ),
  'inbox.mark': method(SCOPE.read, z.object({ ids: z.array(z.string().min(1).max(128)).min(1).max(500), state: z.enum(['seen', 'read', 'done']) })),

  'push.subscribe': method(
    SCOPE.write,
    z.object({
      scopeKind: z.enum(['case', 'entity', 'region', 'topic', 'type', 'all']),
      scopeRef: z.string().max(256).optional(),
      minSeverity: severity.optional(),
      typePatterns: z.array(z.string().min(1).max(256)).max(50).optional(),
      level: z.enum(['all', 'digest', 'critical_only', 'muted']).optional(),
      name: z.string().max(64).optional(),
      predicate: z.record(z.string(), z.unknown()).optional(),
      interestText: z.string().min(1).max(2_000).optional(),
      mutedUntil: z.iso.datetime({ offset: true }).optional(),
      validFrom: z.iso.datetime({ offset: true }).optional(),
      validTo: z.iso.datetime({ offset: true }).optional(),
    }),
  ),
  'push.unsubscribe': method(SCOPE.write, z.object({ id: z.string().min(1).max(64) })),
  'push.subscriptions': method(SCOPE.read, nothing),

  'memory.write': method(
    SCOPE.write,
    z.object({
      content: z.string().min(1).max(65_536),
      kind: memoryKind.optional(),
      scope: memoryScope.optional(),
      namespace: z.string().max(128).optional(),
      importance: z.number().min(0).max(1).optional(),
      metadata: z.record(z.string().max(128), z.unknown()).optional(),
      expiresAt: z.iso.datetime({ offset: true }).optional(),
      idempotencyKey: idempotencyKey.optional(),
    }),
  ),
  'memory.search': method(
    SCOPE.read,
    z.object({
      query: z.string().min(1).max(4_096),
      k: z.number().int().min(1).max(50).optional(),
      scopes: z.array(memoryScope).max(10).optional(),
      namespace: z.string().max(128).optional(),
      kinds: z.array(memoryKind).max(5).optional(),
      minScore: z.number().min(0).max(1).optional(),
    }),
  ),
  ...CRON_METHODS,
  ...NODE_METHODS,

  'vms.list': method(
    SCOPE.read,
    z
      .object({ includeTerminated: z.boolean().optional(), limit: z.number().int().min(1).max(500).optional() })
      .optional()
      .default({}),
  ),
} as const;

export type MethodName = keyof typeof METHODS;
/** Parameters of a method as a caller writes them. */
export type MethodInput<M extends MethodName> = z.input<(typeof METHODS)[M]['params']>;
/** Parameters of a method as its handler gets them. */
export type MethodParams<M extends MethodName> = z.output<(typeof METHODS)[M]['params']>;

/** True for a method that this gateway answers. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

/** Scopes that a socket needs to be sent an event; families that are not listed are sent to nobody. */
export function scopeOfEvent(event: string): string | 'everybody' | 'nobody' {
  if (event === 'tick' || event === 'health' || event === 'heartbeat' || event === 'shutdown') return 'everybody';
  if (/^(chat$|agent$|presence$|cron$|sessions?\.|inbox\.|node\.(?!pair))/.test(event)) return SCOPE.read;
  if (event.startsWith('exec.approval.')) return 'operator.approvals';
  if (/^[a-z]+\.pair\./.test(event)) return SCOPE.pairing;
  if (event.startsWith('plugin.')) return SCOPE.write;
  return 'nobody';
}

/** Events that this gateway sends. */
export const EVENTS = [
  'connect.challenge',
  'tick',
  'health',
  'shutdown',
  'chat',
  'agent',
  'session.message',
  'sessions.changed',
  'inbox.item',
  'inbox.changed',
  'node.invoke.request',
  'node.invoke.cancel',
] as const;
