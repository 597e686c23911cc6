import type { SendOutcome } from './channel.js';

/** What an HTTP answer means for a message. `gone`: statuses that say that the address exists no more. `now` in milliseconds. */
export function httpOutcome(status: number, retryAfter: string | null, now: number, gone: readonly number[]): SendOutcome {
  const error = `http_${status}`;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  if (gone.includes(status)) return { kind: 'gone', error };
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const afterMs = retryAfterMs(retryAfter, now);
    // Too many requests is a fault of ours: slowing down helps, leaving it alone for everybody does not.
    return { kind: 'retry', error, endpointFault: status !== 429, ...(afterMs !== undefined && { afterMs }) };
  }
  // Redirects as well: following one would send the message, signed, to whom nobody named.
  return { kind: 'refused', error };
}

/** `Retry-After`: seconds or a date. */
function retryAfterMs(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
