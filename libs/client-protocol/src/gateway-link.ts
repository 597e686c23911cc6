import { CLOSE_CODES } from './codes.js';
import { ConnectChallenge, type ConnectInput, HelloOkLoose } from './connect.js';
import { type EventFrame, errorOf, type ResponseFrame, ServerFrame } from './frames.js';
import { GatewayError } from './gateway-error.js';

/** The part of the WebSocket interface that is used: the one of browsers, of Node ≥ 22 and of `ws`. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export interface LinkOptions {
  readonly url: string;
  /** What is said first. A function is asked once the server has challenged: for credentials that can be used once. */
  readonly connect: ConnectInput | (() => Promise<ConnectInput>);
  readonly createSocket: (url: string) => SocketLike;
  /** How long challenge and hello may each take. */
  readonly handshakeTimeoutMs: number;
  readonly onEvent: (frame: EventFrame) => void;
  readonly onResponse: (frame: ResponseFrame) => void;
  /** Called once when an established link ends, for whatever reason. */
  readonly onClose: (code: number, reason: string) => void;
  /** Sequence numbers were skipped: events were dropped on the way here. */
  readonly onGap?: ((gap: { expected: number; received: number }) => void) | undefined;
  /** A frame that could not be read; it is skipped. */
  readonly onBadFrame?: ((problem: string) => void) | undefined;
}

const CONNECT_ID = 'connect';
const FALLBACK_TICK_MS = 30_000;
const OPEN = 1;
/** A timer that fires so much too late was held up with everything else here: what came meanwhile is read behind it. */
const HELD_UP_MS = 1_000;

/** One connection: handshake, frames, and the watchdog that ends it when nothing was heard for two tick intervals. Used once. */
export class GatewayLink {
  hello: HelloOkLoose = {};
  private readonly socket: SocketLike;
  private established = false;
  private ended = false;
  private lastSeq = 0;
  private lastHeard = performance.now();
  private handshakeTimer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setInterval> | undefined;
  private settle: { resolve: (hello: HelloOkLoose) => void; reject: (error: GatewayError) => void } | undefined;
  private refusal: GatewayError | undefined;

  private constructor(private readonly options: LinkOptions) {
    this.socket = options.createSocket(options.url);
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = ({ code, reason }) => this.finish(code, reason);
    // A failed attempt always closes as well; the close event carries the code.
    this.socket.onerror = () => undefined;
  }

  /** Opens a link and resolves once hello-ok has come. Rejects with the server's refusal, or with UNAVAILABLE when the socket fails. */
  static open(options: LinkOptions): { link: GatewayLink; ready: Promise<HelloOkLoose> } {
    const link = new GatewayLink(options);
    const ready = new Promise<HelloOkLoose>((resolve, reject) => {
      link.settle = { resolve, reject };
      link.armHandshakeTimer('no challenge');
    });
    return { link, ready };
  }

  /** Sends a frame; false when the socket is no longer open. */
  send(frame: string): boolean {
    if (this.ended || this.socket.readyState !== OPEN) return false;
    this.socket.send(frame);
    return true;
  }

  close(code: number = CLOSE_CODES.handshakeIdle, reason = ''): void {
    if (this.ended) return;
    this.socket.close(code, reason);
    // A half-open socket may take minutes to confirm; nobody waits for it.
    this.finish(code, reason);
  }

  /** A deadline that passed while nothing ran here is given once more; timers of hidden pages are always late. */
  private armHandshakeTimer(what: string, mayBeLate = true): void {
    clearTimeout(this.handshakeTimer);
    const dueAt = performance.now() + this.options.handshakeTimeoutMs;
    this.handshakeTimer = setTimeout(() => {
      if (mayBeLate && performance.now() - dueAt > HELD_UP_MS) {
        this.armHandshakeTimer(what, false);
        return;
      }
      this.refusal = GatewayError.timeout(`handshake with ${this.options.url}: ${what}`, this.options.handshakeTimeoutMs);
      this.close(CLOSE_CODES.clientTimeout, 'connect timeout');
    }, this.options.handshakeTimeoutMs);
  }

  private receive(data: unknown): void {
    if (this.ended) return;
    this.lastHeard = performance.now();
    const frame = readFrame(data);
    if (typeof frame === 'string') {
      this.options.onBadFrame?.(frame);
      return;
    }
    if (frame.type === 'event') this.receiveEvent(frame);
    else if (!this.established && frame.id === CONNECT_ID) this.receiveHello(frame);
    else this.options.onResponse(frame);
  }

  private receiveEvent(frame: EventFrame): void {
    if (frame.event === 'connect.challenge') {
      if (this.established) return;
      if (!ConnectChallenge.safeParse(frame.payload).success) return;
      this.armHandshakeTimer('no hello');
      this.introduce();
      return;
    }
    if (typeof frame.seq === 'number') {
      if (frame.seq > this.lastSeq + 1) this.options.onGap?.({ expected: this.lastSeq + 1, received: frame.seq });
      this.lastSeq = frame.seq;
    }
    this.options.onEvent(frame);
  }

  private introduce(): void {
    const { connect } = this.options;
    const say = (params: ConnectInput) => void this.send(JSON.stringify({ type: 'req', id: CONNECT_ID, method: 'connect', params }));
    if (typeof connect !== 'function') {
      say(connect);
      return;
    }
    connect().then(say, (cause: unknown) => {
      const message = `no credential: ${cause instanceof Error ? cause.message : String(cause)}`;
      this.refusal = cause instanceof GatewayError ? cause : new GatewayError({ code: 'UNAVAILABLE', message }, { cause });
      this.close(CLOSE_CODES.clientTimeout, 'no credential');
    });
  }

  private receiveHello(frame: ResponseFrame): void {
    if (!frame.ok) {
      this.refusal = new GatewayError(errorOf(frame));
      this.close();
      return;
    }
    const hello = HelloOkLoose.safeParse(frame.payload ?? {});
    if (!hello.success) {
      this.refusal = new GatewayError({ code: 'UNAVAILABLE', message: 'the gateway sent a hello that cannot be read', details: { code: 'BAD_HELLO' } });
      this.close(CLOSE_CODES.clientTimeout, 'bad hello');
      return;
    }
    clearTimeout(this.handshakeTimer);
    this.established = true;
    this.hello = hello.data;
    this.watch(hello.data.policy?.tickIntervalMs ?? FALLBACK_TICK_MS);
    this.settle?.resolve(hello.data);
  }

  /**
   * Only what the server says counts as life: a socket whose peer is gone accepts writes for a long time. When it was this side that did not run (a laptop
   * that slept, a page in the background), the server may well have spoken: the next look decides, be it late again, when nothing was heard up to it.
   */
  private watch(tickIntervalMs: number): void {
    const everyMs = Math.max(tickIntervalMs / 4, 50);
    let lookedAt = performance.now();
    let wasHeldUp = false;
    this.watchdog = setInterval(() => {
      const now = performance.now();
      const heldUp = now - lookedAt > everyMs + HELD_UP_MS;
      const mayHaveSpoken = heldUp && !(wasHeldUp && this.lastHeard < lookedAt);
      lookedAt = now;
      wasHeldUp = heldUp;
      if (!mayHaveSpoken && now - this.lastHeard > 2 * tickIntervalMs) this.close(CLOSE_CODES.clientTimeout, 'tick timeout');
    }, everyMs);
  }

  private finish(code: number, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.handshakeTimer);
    clearInterval(this.watchdog);
    if (this.established) this.options.onClose(code, reason);
    else this.settle?.reject(this.refusal ?? GatewayError.connectionLost(code, reason));
  }
}

/** Reads one frame; a text says why it could not be read. */
function readFrame(data: unknown): ServerFrame | string {
  if (typeof data !== 'string') return 'not a text frame';
  try {
    const frame = ServerFrame.safeParse(JSON.parse(data));
    return frame.success ? frame.data : `not a frame: ${frame.error.issues[0]?.message ?? 'unknown shape'}`;
  } catch {
    // The parser's message would quote content of the frame.
    return 'not JSON';
  }
}
