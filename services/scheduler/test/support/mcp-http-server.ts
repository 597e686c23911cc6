import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

/** A small real MCP server over HTTP on loopback; every request gets a fresh server, as stateless ones do. */
export interface McpHttpServer {
  readonly url: string;
  /** Headers of every request, in order. */
  readonly seen: http.IncomingHttpHeaders[];
  /** When set, answers in place of the server. */
  instead: ((request: http.IncomingMessage, response: http.ServerResponse) => void) | undefined;
  /** Connections that are open. */
  sockets(): Promise<number>;
  stop(): Promise<void>;
}

export async function startMcpHttpServer(): Promise<McpHttpServer> {
  const seen: http.IncomingHttpHeaders[] = [];
  // Idle connections end with their client alone.
  const listener = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    seen.push(request.headers);
    if (started.instead !== undefined) return started.instead(request, response);
    void answer(request, response);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const started: McpHttpServer = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`,
    seen,
    instead: undefined,
    sockets: () => new Promise((resolve, reject) => listener.getConnections((error, count) => (error ? reject(error) : resolve(count)))),
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      }),
  };
  return started;
}

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  const text = (content: string) => ({ content: [{ type: 'text' as const, text: content }] });
  server.registerTool('add', { description: 'Adds.', inputSchema: { a: z.number(), b: z.number() } }, async ({ a, b }) => text(String(a + b)));
  server.registerTool('whoami', { description: 'What it was told.', inputSchema: {} }, async () => text(String(request.headers.authorization)));
  server.registerTool('large', { description: 'Too much.', inputSchema: {} }, async () => text('x'.repeat(200_000)));
  server.registerTool('wait', { description: 'Never answers.', inputSchema: {} }, async () => new Promise<never>(() => undefined));
  server.registerTool('fail', { description: 'Fails.', inputSchema: {} }, async () => ({ ...text('it broke'), isError: true }));
  const transport = new StreamableHTTPServerTransport({});
  response.on('close', () => void transport.close().then(() => server.close()));
  await server.connect(transport as unknown as Parameters<McpServer['connect']>[0]);
  await transport.handleRequest(request, response);
}
