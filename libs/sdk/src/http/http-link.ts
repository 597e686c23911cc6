import { PlexusError, ulid } from '@plexus/kernel';
import type { TokenSource } from '../options.js';
import { EventStreamReader, type StreamedEvent } from './event-source.js';
import { problemOf, unreachable } from './problem.js';

export interface HttpOptions {
  /** `http://127.0.0.1:18789` or `https://…`, without `/v1`. */
  readonly baseUrl: string;
  readonly token: TokenSource;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** Longest wait for one answer, ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Tries of a request that may be repeated. Default 4. */
  readonly attempts?: number;
}

export interface RequestInput {
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Of writes: the same key again has one effect. Default: a new one, so that our own repeats have one effect. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

const LONGEST_PAUSE_MS = 30_000;

/** Requests and streams against one gateway: tokens, time limits, repeats that are safe, errors with their code. */
export class HttpLink {
  constructor(private readonly options: HttpOptions) {}

  /**
   * One request. Answers of 429 and 5xx and lost connections are tried again with growing pauses (or as `Retry-After` says): every write
   * carries an Idempotency-Key. Rejects with PlexusError: the problem's code, UNAVAILABLE, TIMEOUT or CANCELLED.
   */
  async request<T>(method: string, path: string, input: RequestInput = {}): Promise<T> {
    const attempts = Math.max(1, this.options.attempts ?? 4);
    const key = method === 'GET' ? undefined : (input.idempotencyKey ?? ulid());
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.once<T>(method, path, input, key);
      } catch (error) {
        if (!PlexusError.isPlexusError(error) || !error.retryable || attempt >= attempts || input.signal?.aborted) throw error;
        const asked = error.details?.retryAfterMs;
        await pause(typeof asked === 'number' ? Math.min(asked, LONGEST_PAUSE_MS) : Math.random() * 250 * 2 ** attempt, input.signal);
      }
    }
  }

  /**
   * A stream of server-sent events. It reconnects with `Last-Event-ID` until the signal aborts, the reader stops, or the gateway refuses it
   * for good (then it throws that).
   */
  async *stream(path: string, o: { readonly lastEventId?: string; readonly signal?: AbortSignal } = {}): AsyncGenerator<StreamedEvent, void, undefined> {
    let lastEventId = o.lastEventId;
    let retryMs = 1_000;
    for (let failures = 0; o.signal?.aborted !== true; failures += 1) {
      const reader = new EventStreamReader();
      const stop = new AbortController();
      const onAbort = () => stop.abort();
      o.signal?.addEventListener('abort', onAbort, { once: true });
      try {
        for await (const piece of await this.open(path, lastEventId, stop.signal)) {
          for (const event of reader.push(piece)) {
            failures = 0;
            lastEventId = event.id ?? lastEventId;
            yield event;
          }
        }
      } catch (error) {
        if (o.signal?.aborted) return;
        if (PlexusError.isPlexusError(error) && !error.retryable) throw error;
        if (error instanceof RangeError) throw error;
      } finally {
        // Also when the reader breaks out of its loop: the connection must not stay.
        o.signal?.removeEventListener('abort', onAbort);
        stop.abort();
      }
      retryMs = reader.retryMs ?? retryMs;
      await pause(Math.min(LONGEST_PAUSE_MS, retryMs * 2 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2), o.signal).catch(() => undefined);
    }
  }

  private async open(path: string, lastEventId: string | undefined, signal: AbortSignal): Promise<AsyncIterable<string>> {
    const headers = { ...(await this.headers()), accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
    const response = await this.fetch(this.url(path, {}), { headers, signal }).catch((cause: unknown) => {
      throw unreachable(this.options.baseUrl, cause);
    });
    if (!response.ok || response.body === null) throw await problemOf(response);
    return piecesOf(response.body);
  }

  private async once<T>(method: string, path: string, input: RequestInput, key: string | undefined): Promise<T> {
    const timeoutMs = input.timeoutMs ?? this.options.timeoutMs ?? 30_000;
    const late = AbortSignal.timeout(timeoutMs);
    const signal = input.signal === undefined ? late : AbortSignal.any([input.signal, late]);
    const headers: Record<string, string> = { ...(await this.headers()), accept: 'application/json' };
    if (input.body !== undefined) headers['content-type'] = 'application/json';
    if (key !== undefined) headers['idempotency-key'] = key;
    const body = input.body === undefined ? undefined : JSON.stringify(input.body);
    try {
      const response = await this.fetch(this.url(path, input.query ?? {}), { method, headers, signal, ...(body !== undefined && { body }) });
      if (!response.ok) throw await problemOf(response);
      return (response.status === 204 ? undefined : await response.json()) as T;
    } catch (error) {
      if (PlexusError.isPlexusError(error)) throw error;
      if (input.signal?.aborted) throw new PlexusError({ code: 'CANCELLED', message: 'The request was cancelled.', status: 499, cause: error });
      if (late.aborted)
        throw new PlexusError({ code: 'TIMEOUT', message: `No answer within ${timeoutMs} ms.`, status: 504, retryable: method === 'GET', cause: error });
      throw unreachable(this.options.baseUrl, error);
    }
  }

  private fetch(url: string, init: RequestInit): Promise<Response> {
    return (this.options.fetch ?? globalThis.fetch)(url, init);
  }

  private async headers(): Promise<Record<string, string>> {
    const { token } = this.options;
    return { authorization: `Bearer ${typeof token === 'function' ? await token() : token}` };
  }

  private url(path: string, query: NonNullable<RequestInput['query']>): string {
    const url = new URL(path, this.options.baseUrl.endsWith('/') ? this.options.baseUrl : `${this.options.baseUrl}/`);
    for (const [name, value] of Object.entries(query)) {
      for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) url.searchParams.append(name, String(each));
    }
    return url.href;
  }
}

async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield decoder.decode(read.value, { stream: true });
  } finally {
    await reader.cancel().catch(() => undefined); // It may have ended by itself.
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const aborted = () => {
      clearTimeout(timer);
      reject(new PlexusError({ code: 'CANCELLED', message: 'The request was cancelled.', status: 499 }));
    };
    if (signal?.aborted) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
  });
}
