import { WebSocket } from 'ws';

/** What somebody else's runtime gets from its environment; nothing of it is in the address but user and ticket. */
export interface RuntimeEnvironment {
  readonly CONTROL_PLANE_WS: string;
  readonly VM_USER_ID: string;
  readonly VM_TICKET: string;
  readonly VM_TOKEN: string;
}

type Json = Record<string, unknown>;

/**
 * A runtime of the plain profile as somebody would write it who has only the document: a WebSocket and JSON, nothing of this project. It
 * keeps every frame of both directions, as text, so that tests can compare what was literally on the wire.
 */
export class ThirdPartyRuntime {
  /** Frames that came, oldest first, of all connections. */
  readonly received: Json[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  /** Requests without an answer, for the next resume. */
  readonly pending = new Set<string>();
  onFrame: (frame: Json) => void = () => undefined;
  private socket: WebSocket | undefined;
  private isFirst = true;

  constructor(private readonly env: RuntimeEnvironment) {}

  /** Connects: with the ticket the first time, later without, and then asks what became of its requests. */
  async connect(ws = this.env.CONTROL_PLANE_WS): Promise<void> {
    const query = new URLSearchParams({ user_id: this.env.VM_USER_ID, ...(this.isFirst ? { ticket: this.env.VM_TICKET } : {}) });
    const socket = new WebSocket(`${ws}?${query}`);
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => this.closes.push({ code, reason: String(reason) }));
    socket.on('message', (data) => this.take(socket, JSON.parse(String(data)) as Json));
    await new Promise<void>((resolve) => {
      socket.once('open', () => resolve());
      socket.once('close', () => resolve());
    });
    this.send({ type: 'auth', token: this.env.VM_TOKEN });
    if (!this.isFirst) this.send({ type: 'resume', pending_ids: [...this.pending] });
    this.isFirst = false;
  }

  /** Sends a frame: an object as JSON, anything else as it is. */
  send(frame: Json | string | Buffer): void {
    this.socket?.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  heartbeat(...sessions: string[]): void {
    this.send({ type: 'heartbeat', active_sessions: sessions });
  }

  request(id: string, session: string, method: string, params: Json): void {
    this.pending.add(id);
    this.send({ type: 'request', id, session_id: session, method, params });
  }

  /** One UI event; `seq` where this runtime numbers its events. */
  event(session: string, event: Json, seq?: number): void {
    this.send({ type: 'sse_event', session_id: session, data: JSON.stringify(event), ...(seq === undefined ? {} : { seq }) });
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.socket?.terminate();
  }

  private take(socket: WebSocket, frame: Json): void {
    if (socket !== this.socket) return;
    this.received.push(frame);
    if (frame.type === 'response') this.pending.delete(String(frame.id));
    this.onFrame(frame);
  }
}
