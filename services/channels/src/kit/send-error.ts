import { isTransientNetworkError, PlexusError } from '@plexus/kernel';
import { type ChannelAdapter, ChannelError, type DescribedError } from './channel-adapter.js';

const MAX_MESSAGE = 1_000;
const MAX_DEPTH = 8;

/** Any failure of a platform call in the words of the contract: ours, the adapter's, else what the chain of causes reveals. */
export function describeError(error: unknown, adapter: Pick<ChannelAdapter, 'describeError'>): DescribedError {
  if (error instanceof ChannelError) return clipped(error.described);
  const described = adapter.describeError?.(error);
  if (described !== undefined) return clipped(described);
  if (PlexusError.isPlexusError(error)) return clipped({ message: error.message, code: error.code, status: error.status });
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code !== undefined) return clipped({ message, code });
  return clipped({ message, code: isTransientNetworkError(error) ? 'NETWORK' : 'UNKNOWN' });
}

/** The first error code down the chain of causes: `fetch failed` hides `ECONNREFUSED` there. */
function codeOf(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH && typeof current === 'object' && current !== null; depth += 1) {
    const { code, cause, errors } = current as { readonly code?: unknown; readonly cause?: unknown; readonly errors?: unknown };
    if (typeof code === 'string' && code !== '') return code.slice(0, 128);
    current = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return undefined;
}

function clipped(error: DescribedError): DescribedError {
  const { status, retryAfterMs } = error;
  return {
    message: error.message.slice(0, MAX_MESSAGE) || 'the platform gave no reason',
    ...(error.code !== undefined && { code: error.code.slice(0, 128) }),
    ...(status !== undefined && Number.isInteger(status) && status >= 100 && status <= 599 && { status }),
    ...(retryAfterMs !== undefined && Number.isFinite(retryAfterMs) && { retryAfterMs: Math.max(0, Math.round(retryAfterMs)) }),
    ...(error.refused !== undefined && { refused: error.refused }),
  };
}
