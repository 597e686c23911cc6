import { GatewayError } from '@plexus/client-protocol';
import { PlexusError } from '@plexus/kernel';

/** An HTTP answer that is no success. */
export class HttpFailure extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    what: string,
  ) {
    super(`${what} → ${status} ${body.slice(0, 200)}`);
  }
}

const REFUSALS = new Set(['INVALID_REQUEST', 'FORBIDDEN', 'NOT_PAIRED']);
/** Answers that say "not now" or "somebody else is at it"; nobody knows what became of an earlier try. */
const UNSURE_STATUSES = new Set([408, 409, 425, 429]);

/** True when the answer proves that the try had no effect, and trying again would change nothing. */
export function isCertainRefusal(error: unknown): boolean {
  if (error instanceof HttpFailure) return error.status >= 400 && error.status < 500 && !UNSURE_STATUSES.has(error.status);
  if (error instanceof GatewayError) return REFUSALS.has(error.code) && !error.retryable;
  return PlexusError.isPlexusError(error) && REFUSALS.has(error.code);
}
