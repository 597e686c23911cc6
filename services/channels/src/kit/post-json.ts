import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ChannelError, FAILURE } from './channel-error.js';
import { guardedLookup, guardedUrl } from './guarded-address.js';
import type { PrivateHosts } from './private-hosts.js';

export interface PostOptions {
  readonly url: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly privateHosts: PrivateHosts;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes?: number;
}

export interface PostAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * POSTs to a URL of a tenant: only to addresses that are allowed, following no redirect, reading at most 64 KiB of the answer. Rejects
 * with {@link ChannelError} for every status but 2xx, with `retryAfterMs` where the server gives it.
 */
export function postJson(options: PostOptions): Promise<PostAnswer> {
  const { url: text, body, headers, privateHosts, timeoutMs, signal, maxAnswerBytes = 65_536 } = options;
  return new Promise<PostAnswer>((resolve, reject) => {
    const url = guardedUrl(text, ['http:', 'https:'], privateHosts);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': String(body.length), 'user-agent': 'plexus-channels', ...headers },
        lookup: guardedLookup(privateHosts) as never,
        signal,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        const done = (): void => {
          const status = response.statusCode ?? 0;
          const answer = { status, body: Buffer.concat(chunks).toString('utf8') };
          if (status >= 200 && status < 300) resolve(answer);
          else reject(refusal(answer, response.headers));
        };
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxAnswerBytes) {
            // Whatever else it says does not matter; the status is known.
            response.destroy();
            done();
          } else chunks.push(chunk);
        });
        response.once('end', done);
        response.once('error', reject);
      },
    );
    // From the first byte sent to the last byte received: a server that trickles is a server that hangs.
    const timer = setTimeout(() => request.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' })), timeoutMs);
    request.once('error', reject);
    request.once('close', () => clearTimeout(timer));
    request.end(body);
  });
}

function refusal({ status, body }: PostAnswer, headers: Readonly<Record<string, string | string[] | undefined>>): ChannelError {
  const retryAfterMs = retryAfter(headers['retry-after'], Date.now());
  const redirected = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  return new ChannelError({
    message: `HTTP ${status}${redirected}${body === '' ? '' : `: ${body.slice(0, 200)}`}`,
    code: status === 401 ? FAILURE.auth : String(status),
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** `Retry-After` in seconds or as a date. */
export function retryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
