import { type ChatMessage, textMessage } from '@plexus/client-protocol';
import type { routingContracts } from '@plexus/contracts';

/** How transcripts and sessions look to clients of the gateway protocol. Pure translations. */

type TranscriptMessage = routingContracts.TranscriptMessage;
type SessionSummary = routingContracts.SessionSummary;

/** A stored message as clients read it; `maxChars` cuts its text and says so. */
export function clientMessage(message: TranscriptMessage, maxChars = Number.POSITIVE_INFINITY): ChatMessage {
  const cut = message.text.length > maxChars;
  return {
    ...textMessage(message.role, cut ? message.text.slice(0, maxChars) : message.text, Date.parse(message.at)),
    messageId: message.messageId,
    seq: message.seq,
    ...(cut && { truncated: true }),
    ...(message.runId === undefined ? {} : { runId: message.runId }),
    ...(message.label === undefined ? {} : { label: message.label }),
  };
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
