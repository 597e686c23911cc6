import { z } from 'zod';
import { IdempotencyKey, MessageText, SessionKey, Ulid } from './common.js';
import { defineRpc } from './define.js';
import { ATTACHMENT_LIMITS } from './routing-attachments.contracts.js';
import { actingFor, RouteAnswer, RouteQuestion } from './routing-fields.js';
import { QueueMode, RunSummary, SessionSummary, TranscriptMessage } from './routing-shapes.js';

export * from './routing-attachments.contracts.js';
export * from './routing-dead-letters.contracts.js';
export * from './routing-delivery.contracts.js';
export * from './routing-pairing.contracts.js';
export * from './routing-sessions.contracts.js';
export {
  AttachmentInfo,
  GrantAccess,
  LastRoute,
  QueueMode,
  RunStatus,
  RunSummary,
  Sender,
  SessionOrigin,
  SessionSummary,
  TranscriptMessage,
} from './routing-shapes.js';
export * from './routing-user.contracts.js';

const domain = 'routing';

export const acceptMessage = defineRpc({
  domain,
  name: 'accept-message',
  version: 1,
  summary:
    'Accepts one message of the caller into a session. The answer comes only after transcript, run and outbox row are committed: from then on nothing is lost. Repeating the idempotency key returns the same run.',
  data: z.object({
    sessionKey: SessionKey.optional().describe('Absent: the main session of the default agent.'),
    agentId: z.string().max(64).optional(),
    message: MessageText,
    idempotencyKey: IdempotencyKey.optional().describe('Becomes the run id; absent: a new ULID.'),
    extraSystemPrompt: z.string().max(20_000).optional().describe('Needs scope operator.admin, kept with the run.'),
    timeoutMs: z.number().int().min(1_000).max(3_600_000).optional(),
    attachments: z
      .array(Ulid)
      .max(ATTACHMENT_LIMITS.count)
      .optional()
      .describe(
        'Files that the caller has stored by `store-attachment`; they belong to the session from now on. A message with some is never a steer: it waits.',
      ),
    queueMode: QueueMode.optional().describe("What a busy session does with it; absent: as the tenant's configuration says, else `followup`."),
    ...actingFor,
  }),
  response: z.object({
    runId: z.string(),
    sessionId: Ulid,
    sessionKey: SessionKey,
    agentId: z.string(),
    status: z.enum(['accepted', 'in_flight', 'done']).describe('accepted: new run; in_flight: the key is known and its run goes on; done: it has ended.'),
    run: RunSummary.optional().describe('With status done.'),
  }),
  idempotent: true,
  errors: ['CONFLICT', 'QUEUE_FULL', 'NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', message: 'What changed since yesterday?', idempotencyKey: 'c0ffee-1' }],
});

export const getHistory = defineRpc({
  domain,
  name: 'history',
  version: 1,
  summary: 'Returns the newest messages of a session, oldest first. `before` pages backwards.',
  data: z.object({
    sessionKey: SessionKey,
    limit: z.number().int().min(1).max(1_000).default(200),
    before: z.number().int().min(1).optional().describe('Only messages with a lower seq.'),
    ...actingFor,
  }),
  response: z.object({
    sessionKey: SessionKey,
    sessionId: Ulid.optional().describe('Absent when the session does not exist yet.'),
    messages: z.array(TranscriptMessage),
    hasMore: z.boolean(),
    totalMessages: z.number().int().min(0),
  }),
  idempotent: true,
  examples: [{ sessionKey: 'agent:main:main', limit: 50 }],
});

export const listSessions = defineRpc({
  domain,
  name: 'list-sessions',
  version: 1,
  summary: "Lists the caller's sessions, most recently used first.",
  data: z.object({
    limit: z.number().int().min(1).max(500).default(100),
    offset: z.number().int().min(0).default(0),
    search: z.string().max(256).optional(),
    agentId: z.string().max(64).optional(),
    includeLastMessage: z.boolean().default(false),
    shared: z.boolean().default(false).describe('Instead of the own ones those that others share with the caller.'),
  }),
  response: z.object({ sessions: z.array(SessionSummary), totalCount: z.number().int().min(0), hasMore: z.boolean() }),
  idempotent: true,
  examples: [{}],
});

export const describeSession = defineRpc({
  domain,
  name: 'describe-session',
  version: 1,
  summary: 'Canonicalises a session key and returns the session, if it exists.',
  data: z.object({ sessionKey: SessionKey, agentId: z.string().max(64).optional(), ...actingFor }),
  response: z.object({ sessionKey: SessionKey, session: SessionSummary.optional() }),
  idempotent: true,
  examples: [{ sessionKey: 'main' }],
});

export const createSession = defineRpc({
  domain,
  name: 'create-session',
  version: 1,
  summary: 'Creates a session, or returns the existing one of that key.',
  data: z.object({ sessionKey: SessionKey.optional(), agentId: z.string().max(64).optional(), label: z.string().max(100).optional() }),
  response: z.object({ session: SessionSummary, created: z.boolean() }),
  idempotent: true,
  examples: [{ sessionKey: 'fan' }],
});

export const resetSession = defineRpc({
  domain,
  name: 'reset-session',
  version: 1,
  summary: 'Starts a new incarnation of a session: a new sessionId and an empty transcript. The old one is kept until retention.',
  data: z.object({ sessionKey: SessionKey, reason: z.enum(['new', 'reset']).default('reset') }),
  response: z.object({ session: SessionSummary, previousSessionId: Ulid.optional() }),
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main' }],
});

export const injectMessage = defineRpc({
  domain,
  name: 'inject',
  version: 1,
  summary: 'Appends an assistant message to an existing session and shows it to its watchers, without a run.',
  data: z.object({ sessionKey: SessionKey, message: MessageText, label: z.string().max(100).optional(), idempotencyKey: IdempotencyKey.optional() }),
  response: z.object({ messageId: Ulid, sessionId: Ulid, sessionKey: SessionKey }),
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', message: 'The nightly import has finished.', label: 'pipeline' }],
});

export const cancelRun = defineRpc({
  domain,
  name: 'cancel-run',
  version: 1,
  summary:
    'Cancels one run, or every open run of the session. A queued run ends at once; a started one is told to stop. Cancelling a finished run does nothing.',
  data: z.object({ sessionKey: SessionKey, runId: z.string().max(256).optional(), reason: z.string().max(200).default('user'), ...actingFor }),
  response: z.object({ aborted: z.boolean(), runIds: z.array(z.string()) }),
  idempotent: true,
  examples: [{ sessionKey: 'agent:main:main' }],
});

export const getRun = defineRpc({
  domain,
  name: 'get-run',
  version: 1,
  summary: "Returns one of the caller's runs.",
  data: z.object({ runId: z.string().min(1).max(256), sessionKey: SessionKey.optional() }),
  response: z.object({ run: RunSummary.optional() }),
  idempotent: true,
  examples: [{ runId: 'c0ffee-1' }],
});

export const resolveRoute = defineRpc({
  domain,
  name: 'resolve',
  version: 1,
  summary: 'Says which agent and session key a message of this shape goes to, and why.',
  data: z.object({
    ...RouteQuestion,
  }),
  response: z.object({
    ...RouteAnswer,
  }),
  idempotent: true,
  examples: [{ channel: 'telegram', peer: { kind: 'dm', id: '42' } }],
});

export const explainRoute = defineRpc({
  domain,
  name: 'explain',
  version: 1,
  summary: 'Resolves a route and says which tiers were tried, which bindings they had, and why each did or did not match.',
  data: z.object({ ...RouteQuestion }),
  response: z.object({
    route: z.object({ ...RouteAnswer }),
    tiers: z.array(
      z.looseObject({
        tier: z.string(),
        matched: z.boolean(),
        reason: z.string().describe('One sentence for people.'),
      }),
    ),
  }),
  idempotent: true,
  examples: [{ channel: 'telegram', peer: { kind: 'dm', id: '42' } }],
});

export const listAgents = defineRpc({
  domain,
  name: 'list-agents',
  version: 1,
  summary: "Lists the tenant's configured agents.",
  data: z.object({}),
  response: z.object({ defaultAgentId: z.string(), agents: z.array(z.object({ id: z.string(), name: z.string().optional(), model: z.string().optional() })) }),
  idempotent: true,
  examples: [{}],
});

export const sessionForUser = defineRpc({
  domain,
  name: 'session-for-user',
  version: 1,
  summary: "Returns the canonical session key of the caller's conversation with an agent, creating nothing.",
  data: z.object({ agentId: z.string().max(64).optional() }),
  response: z.object({ sessionKey: SessionKey, agentId: z.string() }),
  idempotent: true,
  examples: [{}],
});
