import type { Socket } from 'node:net';
import { StrictServerFrame } from '@plexus/client-protocol';
import { waitFor } from '@plexus/testing';
import { WebSocket } from 'ws';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly event?: string;
  readonly seq?: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of every shape
  readonly payload?: any;
  readonly error?: { code: string; message: string; details?: Record<string, unknown>; retryable?: boolean; retryAfterMs?: number };
}

/** Nothing here takes so long; a machine that is shared with others may. */
const PATIENCE_MS = 60_000;

/** A socket that keeps everything it was sent, and holds every frame against the closed schema of real clients. */
export class RawClient {
  readonly frames: Frame[] = [];
  readonly violations: string[] = [];
  closed: { code: number; reason: string } | undefined;
  refused: { status: number; body: string } | undefined;
  private counter = 0;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      const text = String(data);
      const frame = JSON.parse(text) as Frame;
      if (!StrictServerFrame.safeParse(frame).success || /"(error|payload|seq)":null/.test(text)) this.violations.push(text.slice(0, 300));
      this.frames.push(frame);
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => {
        this.refused = { status: response.statusCode ?? 0, body };
        socket.terminate();
      });
    });
  }

  static async open(url: string, options: { headers?: Record<string, string> } = {}): Promise<RawClient> {
    const client = new RawClient(new WebSocket(url, options));
    await waitFor(() => client.frames.length > 0 || client.closed !== undefined || client.refused !== undefined, {
      what: 'the challenge',
      timeoutMs: PATIENCE_MS,
    });
    return client;
  }

  /** Opens a socket and says hello. */
  static async connect(url: string, token: string, connect: Record<string, unknown> = {}): Promise<RawClient> {
    const client = await RawClient.open(url);
    const answer = await client.request('connect', connectParams(token, connect));
    if (answer.ok !== true) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
    return client;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** Lets everything that `work` sends leave in one write. */
  inOneWrite(work: () => void): void {
    const { _socket: tcp } = this.socket as unknown as { _socket: Socket };
    tcp.cork();
    work();
    tcp.uncork();
  }

  /** Sends a request and waits for its (first) response. */
  async request(method: string, params?: unknown, id = `r${++this.counter}`): Promise<Frame> {
    this.send({ type: 'req', id, method, ...(params === undefined ? {} : { params }) });
    return this.response(id);
  }

  response(id: string, index = 0): Promise<Frame> {
    return waitFor(() => this.frames.filter((frame) => frame.type === 'res' && frame.id === id)[index], {
      what: `response ${index} of ${id}`,
      timeoutMs: PATIENCE_MS,
    });
  }

  events(name: string): Frame[] {
    return this.frames.filter((frame) => frame.type === 'event' && frame.event === name);
  }

  async event(name: string, match: (payload: NonNullable<Frame['payload']>) => boolean = () => true): Promise<Frame> {
    return waitFor(() => this.events(name).find(({ payload }) => match(payload)), { what: `event ${name}`, timeoutMs: PATIENCE_MS });
  }

  /** The code and reason with which the socket was closed. */
  end(timeoutMs = PATIENCE_MS): Promise<{ code: number; reason: string }> {
    return waitFor(() => this.closed, { what: 'the close', timeoutMs });
  }

  close(): void {
    this.socket.terminate();
  }
}

export function connectParams(token: string | undefined, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: 'test', version: '1', platform: 'linux', mode: 'test' },
    role: 'operator',
    scopes: ['operator.admin'],
    ...(token === undefined ? {} : { auth: { token } }),
    ...more,
  };
}
