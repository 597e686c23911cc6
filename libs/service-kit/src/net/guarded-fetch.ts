import http from 'node:http';
import https from 'node:https';
import { Readable, Transform } from 'node:stream';
import type { LookupFunction } from 'node:net';
import { type AllowHost, checkLiteral, guardedLookup } from './public-address.js';

/** The answer has more bytes than a result may have. */
export class AnswerTooLargeError extends Error {}

export interface GuardedFetchOptions {
  /** True: every address. A function: these hosts, whatever their addresses are. */
  readonly allowPrivate: boolean | AllowHost;
  readonly maxAnswerBytes: number;
  readonly maxSockets: number;
  /** An answer that was too large; whoever waits for it hears of it otherwise only as a cut stream. */
  readonly onTooLarge?: () => void;
  /** Instead of the system's resolver, for tests of names that change. */
  readonly lookup?: LookupFunction;
}

export interface GuardedFetch {
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  close(): void;
}

/**
 * HTTP for addresses that tenants write: no private ones unless allowed, by the address that is really connected to; no redirect is followed here;
 * answers are bounded. Bodies are texts or bytes.
 */
export function guardedFetch({ allowPrivate, maxAnswerBytes, maxSockets, onTooLarge = () => undefined, lookup }: GuardedFetchOptions): GuardedFetch {
  const allows: AllowHost = typeof allowPrivate === 'function' ? allowPrivate : () => allowPrivate;
  const options = { keepAlive: true, maxSockets, lookup: lookup ?? guardedLookup(allows) };
  const agents = { 'http:': new http.Agent(options), 'https:': new https.Agent(options) };
  return {
    async fetch(input, init = {}) {
      const url = new URL(input);
      const { method = 'GET', signal } = init;
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError('not an http(s) address');
      checkLiteral(url.hostname, allows);
      const headers = Object.fromEntries(new Headers(init.headers));
      const body = typeof init.body === 'string' || init.body instanceof Uint8Array ? init.body : '';
      const incoming = await send(url, { method, headers, agent: agents[url.protocol], ...(signal && { signal }) }, body);
      const bounded = incoming.pipe(limit(maxAnswerBytes, incoming, onTooLarge));
      incoming.on('error', (error) => bounded.destroy(error));
      // A reader that wants no more must not leave a connection behind that waits to be read.
      bounded.on('close', () => incoming.complete || incoming.destroy());
      const { statusCode: status = 502 } = incoming;
      const isEmpty = status === 204 || status === 205 || status === 304;
      return new Response(isEmpty ? null : (Readable.toWeb(bounded) as ReadableStream), { status, headers: headersOf(incoming) });
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function send(url: URL, options: http.RequestOptions, body: string | Uint8Array): Promise<http.IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    request(url, options, resolve).on('error', reject).end(body);
  });
}

function limit(maxBytes: number, incoming: http.IncomingMessage, onTooLarge: () => void): Transform {
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= maxBytes) return done(null, chunk);
      onTooLarge();
      incoming.destroy();
      return done(new AnswerTooLargeError('the answer is too large'));
    },
  });
  // Its reader hears of it too; without a listener a stream that nobody reads any more would end the process.
  stream.on('error', () => undefined);
  return stream;
}

function headersOf({ rawHeaders }: http.IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  return headers;
}
