import { WebSocket } from 'ws';
import { connectParams } from './raw-client.js';

const PATIENCE_MS = 15_000;

/** A client of the inbox as people have it: comes back whenever it is cut off, resumes behind the last item it has, and acknowledges. */
export class InboxClient {
  /** Offsets in the order in which they were taken. */
  readonly offsets: number[] = [];
  /** Items that came although they were not the next one. */
  readonly wrong: string[] = [];
  readonly closes: { readonly code: number; readonly reason: string }[] = [];
  /** When the gateway announced that it goes, and how long clients may take to come back. */
  readonly shutdowns: { readonly at: number; readonly spreadMs: number }[] = [];
  readonly hellos: number[] = [];
  private cursor: string;
  private socket: WebSocket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private requests = 0;
  private spreadMs = 0;
  private resumed = false;
  private ended = false;
  private slow = false;
  private acknowledged = 0;

  constructor(
    private readonly url: string,
    private readonly token: string,
    epoch: string,
  ) {
    this.cursor = `${epoch}:0`;
    this.dial();
  }

  /** Has resumed on the connection that it has. */
  get connected(): boolean {
    return this.resumed;
  }

  /** Goes away without a word and comes back. */
  cut(): void {
    this.socket?.terminate();
  }

  /** Stops reading, or reads again. */
  stall(slow: boolean): void {
    this.slow = slow;
    const { _socket: tcp } = (this.socket ?? {}) as { _socket?: { pause(): void; resume(): void } };
    if (slow) tcp?.pause();
    else tcp?.resume();
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.retry);
    this.socket?.terminate();
  }

  private dial(): void {
    const socket = new WebSocket(this.url, { perMessageDeflate: false, handshakeTimeout: PATIENCE_MS });
    // Real clients do not wait longer for a hello.
    const watchdog = setTimeout(() => !this.resumed && !this.slow && socket.terminate(), PATIENCE_MS);
    this.socket = socket;
    this.resumed = false;
    socket.on('message', (data) => this.take(JSON.parse(String(data))));
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => {
      clearTimeout(watchdog);
      if (socket !== this.socket || this.ended) return;
      this.resumed = false;
      this.closes.push({ code, reason: String(reason) });
      this.retry = setTimeout(() => this.dial(), 200 + Math.random() * (800 + this.spreadMs));
      this.spreadMs = 0;
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: frames of every shape
  private take(frame: any): void {
    if (frame.event === 'connect.challenge') this.send('connect', connectParams(this.token, { scopes: ['operator.write'], caps: ['plexus-inbox-v1'] }));
    else if (frame.payload?.type === 'hello-ok') {
      this.hellos.push(performance.now());
      this.send('inbox.resume', { cursor: this.cursor });
    } else if (frame.payload?.recovered !== undefined) this.afterResume(frame.payload);
    else if (frame.event === 'inbox.item') this.takeItem(frame.payload);
    else if (frame.event === 'shutdown') {
      this.spreadMs = frame.payload.spreadMs ?? 0;
      this.shutdowns.push({ at: performance.now(), spreadMs: this.spreadMs });
    } else if (frame.type === 'res' && frame.ok === false && !this.resumed) this.socket?.terminate();
  }

  private afterResume({ recovered, cursor }: { recovered: boolean; cursor: string }): void {
    if (!recovered) this.wrong.push(`not recovered from ${this.cursor} to ${cursor}`);
    this.resumed = true;
    if (this.slow) this.stall(true);
  }

  private takeItem({ offset, cursor }: { offset: number; cursor: string }): void {
    if (offset !== (this.offsets.at(-1) ?? 0) + 1) this.wrong.push(`${offset} behind ${this.offsets.at(-1) ?? 0}`);
    this.offsets.push(offset);
    this.cursor = cursor;
    if (offset - this.acknowledged >= 10) {
      this.acknowledged = offset;
      this.send('inbox.ack', { offset });
    }
  }

  private send(method: string, params: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: 'req', id: `r${++this.requests}`, method, params }));
  }
}
