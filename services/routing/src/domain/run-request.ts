import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';
import type { routingContracts } from '@plexus/contracts';
import type { QueueMode } from './queue-policy.js';
import type { ReplyRoute } from './reply-route.js';
import type { SessionEntry } from './session-entry.js';
import type { SessionAddress } from './session-address.js';

/** What a caller wants answered. */
export interface RunRequest {
  readonly message: string;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
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
  const { message, extraSystemPrompt = null, timeoutMs } = request;
  return createHash('sha256')
    .update(stableStringify({ sessionKey: address.sessionKey, agentId: address.agentId, message, extraSystemPrompt, timeoutMs }))
    .digest('hex');
}
