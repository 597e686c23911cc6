import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of several APIs
  readonly body: any;
}

/** What a stand-in answers; `hang` never answers. */
export type Reply = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown } | 'hang' | Promise<unknown>;

/** An HTTP server on a free loopback port that keeps every call and does what the test says. */
export class HttpStandIn {
  readonly calls: Call[] = [];
  /** While it is set every connection is closed as soon as it is used, without an answer. */
  isAway = false;
  /** Taken before `answer`, one per call that it fits. */
  private readonly next: { fits: (call: Call) => boolean; reply: Reply }[] = [];
  private readonly server: Server;

  protected constructor(private readonly answer: (call: Call, response: ServerResponse) => Reply | undefined) {
    this.server = createServer((request, response) => {
      if (this.isAway) {
        request.socket.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const call: Call = { path: request.url ?? '/', headers: request.headers, text, body: parse(text, request.headers['content-type']) };
        this.calls.push(call);
        const index = this.next.findIndex(({ fits }) => fits(call));
        const reply = index >= 0 ? this.next.splice(index, 1)[0]?.reply : this.answer(call, response);
        if (reply === undefined || reply === 'hang') return;
        void Promise.resolve(reply).then((given) => {
          const { status = 200, headers = {}, body = {} } = given as { status?: number; headers?: Record<string, string>; body?: unknown };
          response.writeHead(status, { 'content-type': 'application/json', ...headers });
          response.end(JSON.stringify(body));
        });
      });
    });
  }

  static async plain(answer: (call: Call) => Reply = () => ({})): Promise<HttpStandIn> {
    const standIn = new HttpStandIn(answer);
    await standIn.listen();
    return standIn;
  }

  get http(): Server {
    return this.server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The next call whose path ends so gets this answer. */
  once(pathEnd: string, reply: Reply): void {
    this.next.push({ fits: ({ path }) => path.split('?', 1)[0]?.endsWith(pathEnd) === true, reply });
  }

  callsOf(pathEnd: string): Call[] {
    return this.calls.filter(({ path }) => path.split('?', 1)[0]?.endsWith(pathEnd));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function parse(text: string, type: string | undefined): unknown {
  if (type?.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: the test looks at the text
  }
}
