import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsText } from '@plexus/telemetry';
import type { Readiness } from './readiness.js';

export interface InternalListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly readiness: Readiness;
  /** Answer of `/info`. */
  readonly info: () => Record<string, unknown>;
  /** Answer of `/config`: how far this process is with the configuration; absent until it is known. */
  readonly config: () => object | undefined;
}

/** The listener for probes and scrapers, apart from every client-facing port: `/livez`, `/readyz`, `/metrics`, `/info`, `/config`. */
export interface InternalListener {
  /** `http://<host>:<port>`. */
  readonly url: string;
  close(): Promise<void>;
}

type Answer = { readonly status: number; readonly type?: string; readonly body: string };

const json = (status: number, value: unknown): Answer => ({ status, body: `${JSON.stringify(value)}\n` });

/** Opens the listener. Rejects when the address is taken or not ours. */
export async function openInternalListener({ host, port, readiness, info, config }: InternalListenerOptions): Promise<InternalListener> {
  const routes: Record<string, () => Promise<Answer> | Answer> = {
    // Answers from the event loop alone: an outage of NATS or a database must not make an orchestrator restart the fleet.
    '/livez': () => json(200, { live: true }),
    '/readyz': async () => {
      const report = await readiness.evaluate();
      return json(report.ready ? 200 : 503, report);
    },
    '/metrics': async () => {
      await readiness.evaluate();
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await metricsText() };
    },
    '/info': () => json(200, info()),
    '/config': () => {
      const report = config();
      return report === undefined ? json(503, { error: 'starting' }) : json(200, report);
    },
  };

  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 30_000 }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] as string;
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, json(405, { error: 'only GET' }));
    if (route === undefined) return send(response, json(404, { error: 'not found', paths: Object.keys(routes) }));
    Promise.resolve()
      .then(route)
      .then(
        (answer) => send(response, answer),
        (error: unknown) => send(response, json(500, { error: error instanceof Error ? error.message : String(error) })),
      );
  });
  // Probes and scrapers of one node; somebody who opens hundreds of connections here has lost the way.
  server.maxConnections = 64;
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  return { url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`, close: () => close(server) };
}

function send(response: ServerResponse, { status, type = 'application/json', body }: Answer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
