import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CLOSE_CODES, decodeVmFrame, FrameReceiver, FrameSender, sealApiKeys, type VmFrame, type VmFrameOf } from '@plexus/vm-protocol';
import { type WebSocket, WebSocketServer } from 'ws';

export interface StoredEvent {
  readonly epoch: number;
  readonly fseq: number;
  readonly sessionId: string;
  readonly runId: string;
  readonly runSeq: number;
  readonly event: { readonly type: string; readonly content?: string; readonly [field: string]: unknown };
}

export interface Greeting {
  readonly userId: string | null;
  readonly ticket: string | null;
  readonly auth: VmFrameOf<'auth'>;
}

interface Incarnation {
  readonly epoch: number;
  /** Uplink: only `durable` survives a change of the connection. */
  durable: number;
  readonly outbox: FrameSender;
}

/** The mesh as a VM sees it: a real WebSocket server with an outbox and a store, and with faults on request. */
export class GatewayStandIn {
  readonly stored: StoredEvent[] = [];
  readonly greetings: Greeting[] = [];
  readonly frames: VmFrame[] = [];
  readonly refused: string[] = [];
  readonly heartbeats: VmFrameOf<'heartbeat'>[] = [];
  currentEpoch = 1;
  heartbeatMs = 10_000;
  /** Time between an event's arrival and its being durable. */
  storeDelayMs = 0;
  /** Looked at after each stored event; may cut the connection at exactly that point. */
  onStored: ((count: number) => void) | undefined;
  answerHeartbeats = true;
  /** What `resume` is told of a request; undefined = `not_found`. */
  resumeResult: (id: string) => Record<string, unknown> | undefined = () => undefined;
  answerResume = true;
  /** Provider keys that `init` carries, sealed with the bootstrap secret `secret-1`. */
  apiKeys: Record<string, string> = {};
  /** Answers a request; undefined = no answer. Looked at when the request arrives, before its frame is acked. */
  onRequest: ((request: VmFrameOf<'request'>) => Record<string, unknown> | undefined) | undefined;
  /** Sends this to a new connection instead of `init`. */
  onGreeting: ((socket: WebSocket, greeting: Greeting) => boolean) | undefined;
  /** Sent before `init` on the next connections. */
  beforeInit: Record<string, unknown>[] = [];
  connections = 0;
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly incarnations = new Map<number, Incarnation>();
  private live: { socket: WebSocket; incarnation: Incarnation } | undefined;

  private constructor(private readonly server: WebSocketServer) {
    server.on('connection', (socket, request) => this.accept(socket, new URL(request.url ?? '/', 'ws://x')));
  }

  static async start(): Promise<GatewayStandIn> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/ws/vm' });
    await once(server, 'listening');
    return new GatewayStandIn(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/ws/vm`;
  }

  get isConnected(): boolean {
    return this.live !== undefined;
  }

  private incarnation(epoch: number): Incarnation {
    const known = this.incarnations.get(epoch) ?? { epoch, durable: 0, outbox: new FrameSender() };
    this.incarnations.set(epoch, known);
    return known;
  }

  /** Puts a command into the outbox of the current incarnation. */
  push(frame: Record<string, unknown> & { type: string }): void {
    this.incarnation(this.currentEpoch).outbox.offer(frame);
    this.drain();
  }

  /** Sends text as it is, outside of the outbox. */
  raw(text: string | Buffer): void {
    this.live?.socket.send(text);
  }

  /** Makes the next number of the outbox disappear on its way: it is sent only when the VM asks for it. */
  pushLost(frame: Record<string, unknown> & { type: string }): void {
    const { outbox } = this.incarnation(this.currentEpoch);
    outbox.offer(frame);
    outbox.next();
  }

  unackedCommands(): number {
    return this.incarnation(this.currentEpoch).outbox.unacked;
  }

  cut(): void {
    this.live?.socket.terminate();
    this.live = undefined;
  }

  closeWith(code: number): void {
    this.live?.socket.close(code);
    this.live = undefined;
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    for (const client of this.server.clients) client.terminate();
    this.server.close();
    await once(this.server, 'close');
  }

  eventsOf(runId: string): StoredEvent[] {
    return this.stored.filter((one) => one.runId === runId);
  }

  /** What a reader shows in the end: chunks since the last reset. */
  textOf(runId: string): string {
    let text = '';
    for (const { event } of this.eventsOf(runId)) {
      if (event.type === 'text_reset') text = '';
      if (event.type === 'text_chunk') text += event.content ?? '';
    }
    return text;
  }

  endOf(runId: string): StoredEvent['event'] | undefined {
    return this.eventsOf(runId).find(({ event }) => event.type === 'execution_complete' || event.type === 'execution_error')?.event;
  }

  private drain(): void {
    const { live } = this;
    if (!live) return;
    for (let frame = live.incarnation.outbox.next(); frame; frame = live.incarnation.outbox.next()) live.socket.send(frame.text);
  }

  private accept(socket: WebSocket, address: URL): void {
    this.connections++;
    socket.on('error', () => undefined);
    let receiver: FrameReceiver<VmFrame> | undefined;
    let incarnation: Incarnation | undefined;
    const mine = (): boolean => this.live?.socket === socket;
    socket.on('close', () => {
      if (!mine()) return;
      incarnation?.outbox.disconnected();
      this.live = undefined;
    });
    socket.on('message', (data) => {
      const decoded = decodeVmFrame(data as Buffer);
      if (!decoded.ok) {
        this.refused.push(decoded.error.reason);
        return;
      }
      const frame = decoded.value;
      if (frame.type === 'auth') {
        const greeting = { userId: address.searchParams.get('user_id'), ticket: address.searchParams.get('ticket'), auth: frame };
        this.greetings.push(greeting);
        if (this.onGreeting?.(socket, greeting)) return;
        if ((frame.epoch ?? 0) < this.currentEpoch) {
          socket.send(JSON.stringify({ type: 'fenced', current_epoch: this.currentEpoch }));
          socket.close(CLOSE_CODES.fenced.code);
          return;
        }
        incarnation = this.incarnation(frame.epoch ?? 0);
        receiver = new FrameReceiver<VmFrame>({ durable: incarnation.durable });
        this.welcome(socket, incarnation, frame);
        return;
      }
      if (!mine() || !receiver || !incarnation) return;
      this.frames.push(frame);
      this.take(socket, incarnation, receiver, frame);
    });
  }

  private welcome(socket: WebSocket, incarnation: Incarnation, auth: VmFrameOf<'auth'>): void {
    this.live?.incarnation.outbox.disconnected();
    this.live?.socket.close(CLOSE_CODES.replaced.code);
    this.live = { socket, incarnation };
    for (const frame of this.beforeInit) socket.send(JSON.stringify(frame));
    const serverNonce = `server-${this.connections}`;
    const address = { vmId: auth.vm_id ?? '', epoch: incarnation.epoch, clientNonce: auth.client_nonce ?? '', serverNonce };
    socket.send(
      JSON.stringify({
        type: 'init',
        protocol: 2,
        conn_gen: this.connections,
        lease_ms: 30_000,
        heartbeat_ms: this.heartbeatMs,
        server_recv_seq: incarnation.durable,
        server_sent_seq: incarnation.outbox.sent,
        server_nonce: serverNonce,
        data: {
          user_id: 'me',
          org_id: 'default',
          api_keys: sealApiKeys('secret-1', address, this.apiKeys),
          llm_config: { default_model: null, fallback_model: null, providers: {} },
        },
      }),
    );
    incarnation.outbox.connected(auth.recv_seq ?? 0);
    this.drain();
  }

  private take(socket: WebSocket, incarnation: Incarnation, receiver: FrameReceiver<VmFrame>, frame: VmFrame): void {
    if ('fack' in frame && typeof frame.fack === 'number') incarnation.outbox.acknowledge(frame.fack);
    if (frame.type === 'nack') {
      incarnation.outbox.rewind(frame.expected);
      this.drain();
    }
    if (frame.type === 'resume' && this.answerResume) {
      const results = Object.fromEntries(frame.pending_ids.map((id) => [id, this.resumeResult(id) ?? { status: 'not_found' }]));
      socket.send(JSON.stringify({ type: 'resume_response', results }));
    }
    if (frame.type === 'heartbeat') {
      this.heartbeats.push(frame);
      if (this.answerHeartbeats) socket.send(JSON.stringify({ type: 'heartbeat_ack', server_time: Date.now(), desired: 'running' }));
    }
    if (!('fseq' in frame) || typeof frame.fseq !== 'number') return;
    const result = receiver.receive(frame.fseq, frame, performance.now());
    if (result.kind === 'gap' && result.nack !== undefined) socket.send(JSON.stringify({ type: 'nack', expected: result.nack }));
    if (result.kind !== 'deliver') return;
    for (const one of result.frames) {
      const store = (): void => {
        if (this.live?.socket !== socket) return;
        this.store(incarnation, one.fseq, one.frame);
        const answer = one.frame.type === 'request' ? this.onRequest?.(one.frame) : undefined;
        if (answer) socket.send(JSON.stringify({ type: 'response', id: (one.frame as VmFrameOf<'request'>).id, ...answer }));
        receiver.complete(one.fseq, performance.now());
        incarnation.durable = Math.max(incarnation.durable, receiver.durable);
        if (socket.readyState !== socket.OPEN) return;
        socket.send(JSON.stringify({ type: 'ack', fack: receiver.takeAck() }));
      };
      if (this.storeDelayMs === 0) store();
      else this.timers.add(setTimeout(store, this.storeDelayMs));
    }
  }

  /** As a stream with message ids: the same frame of the same incarnation is stored once, a lower epoch not at all. */
  private store({ epoch }: Incarnation, fseq: number, frame: VmFrame): void {
    if (frame.type !== 'sse_event' || epoch < this.currentEpoch) return;
    if (this.stored.some((one) => one.epoch === epoch && one.fseq === fseq)) return;
    this.stored.push({
      epoch,
      fseq,
      sessionId: frame.session_id,
      runId: frame.run_id ?? '',
      runSeq: frame.run_seq ?? 0,
      event: JSON.parse(frame.data) as StoredEvent['event'],
    });
    this.onStored?.(this.stored.length);
  }
}
