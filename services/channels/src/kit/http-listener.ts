import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { timeout } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';

export interface HttpRequest {
  readonly headers: IncomingHttpHeaders;
  /** As it came: signatures are made over bytes. */
  readonly body: Buffer;
  readonly query: URLSearchParams;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer>;

export interface HttpListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly log: Logger;
}

/** Answers within this time or with 503: platforms give up after a few seconds and repeat. */
const HANDLER_TIMEOUT_MS = 10_000;
/** Requests of one account at once. */
const MAX_PER_ROUTE = 32;

type Route = { readonly handler: HttpHandler; running: number };

/** The port on which platforms call us. It opens when the first account needs it and stays open until the process ends. */
export class HttpListener {
  private readonly routes = new Map<string, Route>();
  private opening: Promise<string> | undefined;
  private server: Server | undefined;

  constructor(private readonly options: HttpListenerOptions) {}

  /** Opens the port unless it is open. Resolves with its address `http://<host>:<port>`; rejects when the port is taken. */
  open(): Promise<string> {
    this.opening ??= this.listen().catch((error: unknown) => {
      // The next account that asks tries again.
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  /** Answers POST requests to `path` until the returned function is called. */
  async add(path: string, handler: HttpHandler): Promise<() => void> {
    await this.open();
    const route: Route = { handler, running: 0 };
    this.routes.set(path, route);
    return () => {
      if (this.routes.get(path) === route) this.routes.delete(path);
    };
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 2_000).unref();
    });
  }

  private async listen(): Promise<string> {
    const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000, keepAliveTimeout: 10_000 }, (request, response) => {
      this.serve(request, response).catch((error: unknown) => {
        this.options.log.error({ error }, 'a request of a platform could not be answered');
        response.destroy();
      });
    });
    server.maxConnections = 512;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.options.port, this.options.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.server = server;
    const { address, family, port } = server.address() as AddressInfo;
    const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    this.options.log.info({ url }, 'listening for platforms');
    return url;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://channel.invalid');
    const route = this.routes.get(url.pathname);
    if (route === undefined) return answer(response, { status: 404, body: { code: 'NOT_FOUND' } }, true);
    if (request.method !== 'POST') return answer(response, { status: 405, body: { code: 'METHOD_NOT_ALLOWED' }, headers: { allow: 'POST' } }, true);
    if (route.running >= MAX_PER_ROUTE) return answer(response, { status: 503, body: { code: 'BUSY' }, headers: { 'retry-after': '1' } }, true);
    route.running += 1;
    try {
      const body = await readBody(request, this.options.maxBodyBytes);
      if (body === undefined) return answer(response, { status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } }, true);
      const handled = timeout(route.handler({ headers: request.headers, body, query: url.searchParams }), HANDLER_TIMEOUT_MS, { what: 'handler' });
      answer(response, await handled);
    } catch (error) {
      this.options.log.warn({ error, path: url.pathname }, 'a message of a platform was not taken; it should come again');
      answer(response, { status: 503, body: { code: 'UNAVAILABLE' }, headers: { 'retry-after': '2' } });
    } finally {
      route.running -= 1;
    }
  }
}

/** Undefined when it is larger than `maxBytes`. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `last`: what is left of the request is not read, so the connection cannot be used again. */
function answer(response: ServerResponse, { status, body, headers }: HttpAnswer, last = false): void {
  if (response.headersSent || response.destroyed) return;
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
    ...(last && { connection: 'close' }),
  });
  response.end(text);
}
