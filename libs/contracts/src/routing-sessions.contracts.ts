import { z } from 'zod';
import { Instant, MessageText, SessionKey, Ulid, UserId } from './common.js';
import { defineRpc } from './define.js';
import { actingFor } from './routing-fields.js';
import { GrantAccess, LastRoute, SessionOrigin, SessionSummary, TranscriptMessage } from './routing-shapes.js';

const domain = 'routing';

/** Who else may see a session. */
export const SessionGrant = z.object({ grantee: UserId, access: GrantAccess, grantedBy: UserId, grantedAt: Instant });
export type SessionGrant = z.infer<typeof SessionGrant>;

export const shareSession = defineRpc({
  domain,
  name: 'share-session',
  version: 1,
  summary: "Lets another user of the tenant read one of the caller's sessions, or write into it; repeating it changes the access.",
  data: z.object({ sessionKey: SessionKey, grantee: UserId, access: GrantAccess.default('read') }),
  response: z.object({ sessionKey: SessionKey, grant: SessionGrant }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND', 'QUOTA_EXCEEDED'],
  examples: [{ sessionKey: 'agent:main:main', grantee: 'bob', access: 'read' }],
});

export const unshareSession = defineRpc({
  domain,
  name: 'unshare-session',
  version: 1,
  summary: 'Takes a grant back. A grant that does not exist is no error.',
  data: z.object({ sessionKey: SessionKey, grantee: UserId }),
  response: z.object({ sessionKey: SessionKey, removed: z.boolean() }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', grantee: 'bob' }],
});

export const listGrants = defineRpc({
  domain,
  name: 'list-grants',
  version: 1,
  summary: "Lists with whom one of the caller's sessions is shared.",
  data: z.object({ sessionKey: SessionKey }),
  response: z.object({ sessionKey: SessionKey, grants: z.array(SessionGrant) }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main' }],
});

export const sessionAccess = defineRpc({
  domain,
  name: 'session-access',
  version: 1,
  summary: 'Says whether the caller may read or write a session, as owner or through a grant; asked before a session is watched.',
  data: z.object({ sessionKey: SessionKey, ...actingFor }),
  response: z.object({
    sessionKey: SessionKey,
    owner: UserId,
    sessionId: Ulid.optional().describe('Absent when there is no such session, or none that the caller may see.'),
    access: z.enum(['owner', 'read', 'write', 'none']),
  }),
  idempotent: true,
  examples: [{ sessionKey: 'agent:main:main', owner: 'ada' }],
});

export const patchSession = defineRpc({
  domain,
  name: 'patch-session',
  version: 1,
  summary: 'Changes label or display name of a session; `null` removes the value.',
  data: z.object({ sessionKey: SessionKey, label: z.string().max(100).nullable().optional(), displayName: z.string().max(200).nullable().optional() }),
  response: z.object({ session: SessionSummary }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', label: 'Release planning' }],
});

export const deleteSession = defineRpc({
  domain,
  name: 'delete-session',
  version: 1,
  summary: 'Deletes a session with its transcript and runs, those of earlier incarnations included. Open runs are cancelled.',
  data: z.object({ sessionKey: SessionKey }),
  response: z.object({ sessionKey: SessionKey, deleted: z.boolean(), sessionId: Ulid.optional() }),
  idempotent: true,
  examples: [{ sessionKey: 'agent:main:fan' }],
});

export const previewSessions = defineRpc({
  domain,
  name: 'preview-sessions',
  version: 1,
  summary: "The last few messages of several of the caller's sessions, each cut to a preview.",
  data: z.object({
    sessionKeys: z.array(SessionKey).min(1).max(64),
    limit: z.number().int().min(1).max(12).default(6),
    maxChars: z.number().int().min(1).max(1_000).default(240),
  }),
  response: z.object({
    previews: z.array(z.object({ sessionKey: SessionKey, status: z.enum(['ok', 'empty', 'missing']), messages: z.array(TranscriptMessage) })),
  }),
  idempotent: true,
  examples: [{ sessionKeys: ['agent:main:main'] }],
});

export const exportSession = defineRpc({
  domain,
  name: 'export-session',
  version: 1,
  summary: 'One page of a transcript as text: JSON lines or Markdown. Pages follow each other by `after`; joined they are the whole.',
  data: z.object({
    sessionKey: SessionKey,
    format: z.enum(['jsonl', 'markdown']).default('jsonl'),
    after: z.number().int().min(0).default(0).describe('`next` of the page before.'),
    limit: z.number().int().min(1).max(1_000).default(500),
    owner: UserId.optional().describe('Owner of a session that is shared with the caller.'),
  }),
  response: z.object({ sessionKey: SessionKey, sessionId: Ulid, text: z.string(), next: z.number().int().optional().describe('Absent on the last page.') }),
  idempotent: true,
  errors: ['SESSION_NOT_FOUND'],
  examples: [{ sessionKey: 'agent:main:main', format: 'markdown' }],
});

export const migrateSessionKeys = defineRpc({
  domain,
  name: 'migrate-session-keys',
  version: 1,
  summary:
    'Brings stored session keys of the tenant into their canonical form (lower case, agent prefix). A key whose canonical form another session of the same owner has is reported and left alone: strangers are never merged. Repeating it changes nothing.',
  data: z.object({
    dryRun: z.boolean().default(true),
    after: z.number().int().min(0).default(0).describe('`next` of the page before.'),
    limit: z.number().int().min(1).max(1_000).default(500),
  }),
  response: z.object({
    scanned: z.number().int(),
    changed: z.array(z.object({ owner: UserId, from: z.string(), to: z.string() })),
    collisions: z.array(z.object({ owner: UserId, from: z.string(), to: z.string() })),
    next: z.number().int().optional(),
  }),
  idempotent: true,
  examples: [{ dryRun: true }],
});

/** One message of a conversation that was held elsewhere. */
export const ImportedMessage = z.object({
  id: z.string().trim().min(1).max(200).describe('Names the message in its former place; what has this id already is not appended again.'),
  role: z.enum(['user', 'assistant', 'system', 'tool']),
  text: MessageText,
  at: Instant.describe('When it was said there.'),
});
export type ImportedMessage = z.infer<typeof ImportedMessage>;

export const importSession = defineRpc({
  domain,
  name: 'import-session',
  version: 1,
  summary:
    "Takes over a conversation that was held elsewhere: creates the caller's session of that key, unless there is one, and appends the messages with the times they had. Repeating it appends nothing, also after a reset. Nobody is told of the messages: they are history, no news.",
  data: z.object({
    sessionKey: SessionKey,
    agentId: z.string().max(64).optional(),
    label: z.string().max(100).optional().describe('Only for a session that is created.'),
    displayName: z.string().max(200).optional(),
    chatType: z.string().max(64).optional(),
    channel: z.string().max(64).optional(),
    groupId: z.string().max(256).optional(),
    threadId: z.string().max(256).optional(),
    origin: SessionOrigin.optional(),
    lastRoute: LastRoute.optional().describe('Only where the session has none yet.'),
    messages: z.array(ImportedMessage).max(200).default([]).describe('Oldest first. A longer conversation comes in several calls.'),
    dryRun: z.boolean().default(false).describe('Only say what would happen.'),
  }),
  response: z.object({
    sessionKey: SessionKey.describe('In the form in which it is kept.'),
    created: z.boolean(),
    appended: z.number().int().min(0),
    known: z.number().int().min(0).describe('Messages that were there from an earlier import.'),
    before: z.number().int().min(0).describe('Messages that the session had before this call.'),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [
    {
      sessionKey: 'agent:main:main',
      messages: [{ id: 'openclaw:7f3c:a1b2c3d4', role: 'user', text: 'What changed since yesterday?', at: '2026-11-20T08:00:00.000Z' }],
    },
  ],
});
