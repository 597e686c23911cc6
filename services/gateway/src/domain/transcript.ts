import { type ChatMessage, textMessage } from '@plexus/client-protocol';
import type { routingContracts } from '@plexus/contracts';

/** How transcripts and sessions look to clients of the gateway protocol. Pure translations. */

type TranscriptMessage = routingContracts.TranscriptMessage;
type SessionSummary = routingContracts.SessionSummary;

/** A stored message as clients read it; `maxChars` cuts its text and says so. */
export function clientMessage(message: TranscriptMessage, maxChars = Number.POSITIVE_INFINITY): ChatMessage {
  const cut = message.text.length > maxChars;
  const text = cut ? message.text.slice(0, maxChars) : message.text;
  return {
    ...textMessage(message.role, text, Date.parse(message.at)),
    ...(message.attachments === undefined ? {} : { content: [{ type: 'text', text }, ...message.attachments.map(attachmentPart)] }),
    messageId: message.messageId,
    seq: message.seq,
    ...(cut && { truncated: true }),
    ...(message.runId === undefined ? {} : { runId: message.runId }),
    ...(message.label === undefined ? {} : { label: message.label }),
  };
}

/** What is said of a file; its bytes are left out (`omitted`) and come by `GET /v1/sessions/:key/attachments/:id`. */
function attachmentPart({ attachmentId, name, mimeType, bytes }: routingContracts.AttachmentInfo) {
  return { type: mimeType.startsWith('image/') ? 'image' : 'file', attachmentId, fileName: name, mimeType, bytes, omitted: true };
}

/** One row of `sessions.list`. */
export function sessionRow(session: SessionSummary) {
  return {
    key: session.sessionKey,
    sessionId: session.sessionId,
    kind: session.kind,
    agentId: session.agentId,
    createdAt: Date.parse(session.createdAt),
    updatedAt: Date.parse(session.updatedAt),
    messageCount: session.messageCount,
    ...(session.label === undefined ? {} : { label: session.label, displayName: session.label }),
    ...(session.activeRunId === undefined ? {} : { activeRunId: session.activeRunId, hasActiveRun: true }),
    ...(session.lastMessage === undefined ? {} : { lastMessagePreview: session.lastMessage.text.slice(0, 200) }),
  };
}
