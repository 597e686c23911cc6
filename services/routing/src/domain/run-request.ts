import { createHash } from 'node:crypto';
import { stableStringify } from '@plexus/kernel';
import type { SessionAddress } from './session-address.js';

/** What a caller wants answered. */
export interface RunRequest {
  readonly message: string;
  readonly extraSystemPrompt?: string | undefined;
  readonly timeoutMs: number;
}

/** Fingerprint of a request: a run id that comes back with another one is not a repetition but a mistake. */
export function requestHash(address: SessionAddress, request: RunRequest): string {
  const { message, extraSystemPrompt = null, timeoutMs } = request;
  return createHash('sha256')
    .update(stableStringify({ sessionKey: address.sessionKey, agentId: address.agentId, message, extraSystemPrompt, timeoutMs }))
    .digest('hex');
}
