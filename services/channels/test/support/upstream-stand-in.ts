import type { AddressInfo } from 'node:net';
import { encodeEvent, encodeFailure, encodeResult, textMessage } from '@plexus/client-protocol';
import { type WebSocket, WebSocketServer } from 'ws';

interface Request {
  readonly id: string;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: parameters of several methods
  readonly params: any;
}

type Refusal = { code: string; message: string; details?: Record<string, unknown> };

/** A gateway of the OpenClaw protocol on a free loopback port, whose runs end when the test says so. */
export class UpstreamStandIn {
  readonly requests: Request[] = [];
  private readonly open = new Set<WebSocket>();
  private refusal: Refusal | undefined;
  private seq = 0;

  private constructor(private readonly server: WebSocketServer) {
    server.on('connection', (socket) => {
      socket.send(encodeEvent('connect.challenge', { nonce: 'n', ts: 1 }));
      socket.on('close', () => this.open.delete(socket));
      socket.on('message', (data) => this.accept(socket, JSON.parse(String(data)) as Request));
    });
  }

  static async start(): Promise<UpstreamStandIn> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server.once('listening', resolve));
    return new UpstreamStandIn(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Clients that have been let in. */
  get connections(): number {
    return this.open.size;
  }

  /** Ends a run: everybody who is connected is told. */
  final(runId: string, sessionKey: string, text: string): void {
    const payload = { runId, sessionKey, seq: 1, state: 'final', message: textMessage('assistant', text, 1) };
    for (const socket of this.open) socket.send(encodeEvent('chat', payload, ++this.seq));
  }

  refuseNext(refusal: Refusal): void {
    this.refusal = refusal;
  }

  disconnect(): void {
    for (const socket of this.open) socket.close(1012);
  }

  async stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: WebSocket, request: Request): void {
    if (request.method === 'connect') {
      this.connect(socket, request);
      return;
    }
    this.requests.push(request);
    const { refusal } = this;
    if (refusal !== undefined) {
      this.refusal = undefined;
      socket.send(encodeFailure(request.id, refusal));
    } else {
      const repeated = this.requests.filter(({ params }) => params?.idempotencyKey === request.params?.idempotencyKey).length > 1;
      socket.send(encodeResult(request.id, { runId: request.params?.idempotencyKey, status: repeated ? 'in_flight' : 'started' }));
    }
  }

  private connect(socket: WebSocket, { id, params }: Request): void {
    if (params.auth?.token !== 'upstream-token') {
      socket.send(encodeFailure(id, { code: 'INVALID_REQUEST', message: 'the token does not match', details: { code: 'AUTH_TOKEN_MISMATCH' } }));
      socket.close(1008, 'refused');
      return;
    }
    this.open.add(socket);
    const features = { methods: ['chat.send', 'chat.inject'], events: ['chat'] };
    socket.send(encodeResult(id, { type: 'hello-ok', protocol: 4, policy: { tickIntervalMs: 15_000 }, features }));
  }
}
