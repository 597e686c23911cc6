import { z } from 'zod';
import { Instant, SessionKey, Ulid, UserId } from './common.js';

export const RunStatus = z.enum(['queued', 'started', 'ok', 'error', 'cancelled', 'timeout']);
export type RunStatus = z.infer<typeof RunStatus>;

/** Who wrote a message in a channel; the session's owner may be somebody else. */
export const Sender = z.object({ id: z.string().max(256), name: z.string().max(256).optional(), username: z.string().max(256).optional() });
export type Sender = z.infer<typeof Sender>;

/** What a session was told about its conversation; only what is known is there. */
export const SessionOrigin = z.object({
  label: z.string().optional(),
  provider: z.string().optional(),
  surface: z.string().optional(),
  chatType: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  accountId: z.string().optional(),
  threadId: z.string().optional(),
});
export type SessionOrigin = z.infer<typeof SessionOrigin>;

/** Where the conversation was last heard of: answers without another address go there. */
export const LastRoute = z.object({
  channel: z.string(),
  accountId: z.string().optional(),
  to: z.string(),
  threadId: z.string().optional(),
});
export type LastRoute = z.infer<typeof LastRoute>;

export const QueueMode = z.enum(['collect', 'steer', 'followup', 'interrupt']);
export type QueueMode = z.infer<typeof QueueMode>;

export const GrantAccess = z.enum(['read', 'write']);
export type GrantAccess = z.infer<typeof GrantAccess>;

/** A file that a message brought along. Who has the session reads it by `read-attachment`. */
export const AttachmentInfo = z.object({
  attachmentId: Ulid,
  name: z.string().min(1).max(256),
  mimeType: z.string().min(1).max(128),
  bytes: z.number().int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type AttachmentInfo = z.infer<typeof AttachmentInfo>;

/** One message of a transcript, oldest first by `seq` (from 1, without gaps per session incarnation). */
export const TranscriptMessage = z.object({
  messageId: Ulid,
  seq: z.number().int().min(1),
  role: z.enum(['user', 'assistant', 'system', 'tool']),
  text: z.string(),
  runId: z.string().optional(),
  label: z.string().max(100).optional(),
  sender: Sender.optional().describe('Who wrote it in a channel.'),
  attachments: z.array(AttachmentInfo).optional(),
  at: Instant,
});
export type TranscriptMessage = z.infer<typeof TranscriptMessage>;

export const SessionSummary = z.object({
  sessionKey: SessionKey,
  sessionId: Ulid,
  owner: UserId,
  agentId: z.string(),
  kind: z.string(),
  label: z.string().optional(),
  createdAt: Instant,
  updatedAt: Instant,
  messageCount: z.number().int().min(0),
  lastMessage: TranscriptMessage.optional(),
  activeRunId: z.string().optional(),
  chatType: z.string().optional(),
  channel: z.string().optional(),
  groupId: z.string().optional(),
  displayName: z.string().optional(),
  origin: SessionOrigin.optional(),
  lastRoute: LastRoute.optional(),
  threadId: z.string().optional(),
  access: z.enum(['owner', 'read', 'write']).optional().describe("What the caller may do with it; absent: it is the caller's own."),
});
export type SessionSummary = z.infer<typeof SessionSummary>;

export const RunSummary = z.object({
  runId: z.string(),
  sessionId: Ulid,
  sessionKey: SessionKey,
  status: RunStatus,
  text: z.string().optional().describe('Final assistant text, once the run has ended well.'),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  createdAt: Instant,
  endedAt: Instant.optional(),
  configRevision: z.number().int().min(0).optional().describe("Revision of the tenant's configuration that the message was routed with."),
  mergedInto: z.string().optional().describe('The run that took this message along and ends for both.'),
});
export type RunSummary = z.infer<typeof RunSummary>;
