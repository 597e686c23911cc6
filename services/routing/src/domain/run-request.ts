import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';
import type { routingContracts } from '@plexus/contracts';
import type { QueueMode } from './queue-policy.js';
import type { ReplyRoute } from './reply-route.js';
import type { SessionEntry } from './session-entry.js';
import type { SessionAddress } from './session-address.js';

export type AttachmentInfo = routingContracts.AttachmentInfo;

/** What a caller wants answered. */
export interface RunRequest {
  readonly message: string;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
  /** What the message brings along. */
  readonly attachments?: readonly AttachmentInfo[] | undefined;
}

/** How a message is taken beside what it says; nothing here makes it another message. */
export interface MessageHandling {
  readonly queue: { readonly mode: QueueMode; readonly cap: number };
  /** Revision of the configuration that the message was routed with. */
  readonly configRevision: number;
  readonly replyRoute?: ReplyRoute | undefined;
  readonly sender?: routingContracts.Sender | undefined;
  readonly entry?: SessionEntry | undefined;
}

/** Fingerprint of a request: a run id that comes back with another one is not a repetition but a mistake. */
export function requestHash(address: SessionAddress, request: RunRequest): string {
  const { message, extraSystemPrompt = null, timeoutMs, attachments = [] } = request;
  // By their content: a repetition has stored them again, under other ids.
  const files = attachments.map(({ name, mimeType, sha256 }) => ({ name, mimeType, sha256 }));
  const about = { sessionKey: address.sessionKey, agentId: address.agentId, message, extraSystemPrompt, timeoutMs };
  return createHash('sha256')
    .update(stableStringify({ ...about, ...(files.length > 0 && { files }) }))
    .digest('hex');
}
