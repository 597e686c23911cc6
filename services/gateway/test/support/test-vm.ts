import { waitFor } from '@plexus/testing';
import { FrameReceiver, FrameSender, type MeshFrame } from '@plexus/vm-protocol';
import { WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every shape
type AnyFrame = any;

/** One VM socket, with whatever it is sent. */
export class VmSocketClient {
  readonly frames: AnyFrame[] = [];
  closed: { code: number; reason: string } | undefined;
  onFrame: (frame: AnyFrame) => void = () => undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data));
      this.frames.push(frame);
      this.onFrame(frame);
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on('error', () => undefined);
  }

  static async open(ws: string, query: Record<string, string>): Promise<VmSocketClient> {
    const client = new VmSocketClient(new WebSocket(`${ws}/ws/vm?${new URLSearchParams(query)}`));
    await waitFor(() => client.socket.readyState !== WebSocket.CONNECTING, { what: 'the socket' });
    return client;
  }

  send(frame: unknown): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  frame(type: string, match: (frame: AnyFrame) => boolean = () => true, timeoutMs = 60_000): Promise<AnyFrame> {
    return waitFor(() => this.frames.find((frame) => frame.type === type && match(frame)), { what: `frame ${type}`, timeoutMs });
  }

  end(timeoutMs = 60_000): Promise<{ code: number; reason: string }> {
    return waitFor(() => this.closed, { what: 'the close', timeoutMs });
  }

  close(): void {
    this.socket.terminate();
  }
}

/** A runtime of the reliable profile: keeps what is not acked, replays it on the next connection, and counts what it was handed. */
export class TestVm {
  readonly sender = new FrameSender();
  readonly receiver = new FrameReceiver<MeshFrame>();
  readonly received: AnyFrame[] = [];
  client: VmSocketClient | undefined;
  private first = true;

  constructor(
    readonly vmId: string,
    readonly epoch = 1,
    readonly owner = 'me',
  ) {}

  get auth(): Record<string, unknown> {
    return {
      type: 'auth',
      token: `${this.vmId}/${this.epoch}`,
      protocol: 2,
      vm_id: this.vmId,
      epoch: this.epoch,
      client_nonce: 'nonce-nonce',
      recv_seq: this.receiver.durable,
      sent_seq: this.sender.sent,
    };
  }

  async connect(ws: string): Promise<VmSocketClient> {
    const client = await VmSocketClient.open(ws, { user_id: this.owner, ...(this.first && { ticket: `ticket-${this.vmId}` }) });
    this.client = client;
    this.receiver.disconnected();
    client.onFrame = (frame) => this.take(client, frame);
    client.socket.on('close', () => {
      if (this.client === client) this.sender.disconnected();
    });
    client.send(this.auth);
    await client.frame('init');
    this.first = false;
    return client;
  }

  /** Hands an event to the mesh, now or on the next connection. */
  event(sessionId: string, runId: string, runSeq: number, event: { type: string; [key: string]: unknown }): void {
    this.offer({ type: 'sse_event', session_id: sessionId, run_id: runId, run_seq: runSeq, data: JSON.stringify(event) });
  }

  offer(frame: { type: string; [key: string]: unknown }): void {
    if (this.sender.offer(frame) === undefined) throw new Error('the spool is full');
    this.pump();
  }

  cut(): void {
    this.client?.close();
    this.client = undefined;
    this.sender.disconnected();
  }

  private take(client: VmSocketClient, frame: AnyFrame): void {
    if (client !== this.client) return;
    if (frame.type === 'init') {
      const attached = this.sender.connected(frame.server_recv_seq);
      if (attached !== 'ok') throw new Error(`the mesh forgot what it acked: ${attached}`);
      this.pump();
    }
    if (typeof frame.fack === 'number') this.sender.acknowledge(frame.fack);
    if (frame.type === 'nack') {
      this.sender.rewind(frame.expected);
      this.pump();
    }
    if (typeof frame.fseq !== 'number') return;
    const result = this.receiver.receive(frame.fseq, frame, performance.now());
    if (result.kind !== 'deliver') return;
    for (const { fseq, frame: one } of result.frames) {
      this.received.push(one);
      this.receiver.complete(fseq, performance.now());
    }
    client.send({ type: 'ack', fack: this.receiver.takeAck() });
  }

  private pump(): void {
    for (let frame = this.sender.next(); frame !== undefined; frame = this.sender.next()) this.client?.send(frame.text);
  }
}
