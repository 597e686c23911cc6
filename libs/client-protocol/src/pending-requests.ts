import { errorOf, type ResponseFrame } from './frames.js';
import { GatewayError } from './gateway-error.js';

export interface RequestOptions {
  /** Time limit in ms, counted from the call, waiting for a connection included. Default 30 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Wait for the second response of methods that answer twice (`agent`). */
  readonly expectFinal?: boolean;
  /**
   * Send it again after a reconnect instead of rejecting it. Only for methods that may be repeated: reads, and writes with an
   * idempotency key.
   */
  readonly resend?: boolean;
}

interface Pending {
  readonly frame: string;
  readonly expectFinal: boolean;
  readonly resend: boolean;
  sent: boolean;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly release: () => void;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Requests without their answer. Each one ends: with its answer, its time limit, its signal, or the connection. */
export class PendingRequests {
  private readonly pending = new Map<string, Pending>();
  private counter = 0;

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.pending.size;
  }

  /** Registers a request; `send` is tried at once and again by {@link flush}. */
  add(method: string, params: unknown, options: RequestOptions, send: (frame: string) => boolean): Promise<unknown> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.pending.size >= this.capacity) {
      const message = `${this.capacity} requests are waiting already`;
      return Promise.reject(new GatewayError({ code: 'UNAVAILABLE', message, retryable: true, details: { code: 'QUEUE_FULL' } }));
    }
    this.counter += 1;
    const id = `${this.counter}:${globalThis.crypto.randomUUID()}`;
    const frame = JSON.stringify({ type: 'req', id, method, params });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.end(id, (entry) => entry.reject(GatewayError.timeout(method, timeoutMs))), timeoutMs);
      const onAbort = () => this.end(id, (entry) => entry.reject(signal?.reason));
      signal?.addEventListener('abort', onAbort, { once: true });
      const release = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const entry: Pending = { frame, expectFinal: options.expectFinal ?? false, resend: options.resend ?? false, sent: false, resolve, reject, release };
      this.pending.set(id, entry);
      entry.sent = send(frame);
    });
  }

  /** Takes a response. Late and unknown ones are ignored: their request has ended. */
  accept(frame: ResponseFrame): void {
    const entry = this.pending.get(frame.id);
    if (entry === undefined) return;
    const accepted = frame.ok && entry.expectFinal && isAccepted(frame.payload);
    if (accepted) return;
    this.end(frame.id, () => {
      if (frame.ok) entry.resolve(frame.payload);
      else entry.reject(new GatewayError(errorOf(frame)));
    });
  }

  /** The connection is gone: what was sent and may not be repeated is rejected, the rest waits for the next connection. */
  connectionLost(error: GatewayError): void {
    for (const [id, entry] of [...this.pending]) {
      if (!entry.sent || entry.resend) entry.sent = false;
      else this.end(id, () => entry.reject(error));
    }
  }

  /** Sends what has not been sent on this connection yet, oldest first. */
  flush(send: (frame: string) => boolean): void {
    for (const entry of this.pending.values()) if (!entry.sent) entry.sent = send(entry.frame);
  }

  rejectAll(error: GatewayError): void {
    for (const id of [...this.pending.keys()]) this.end(id, (entry) => entry.reject(error));
  }

  private end(id: string, settle: (entry: Pending) => void): void {
    const entry = this.pending.get(id);
    if (entry === undefined) return;
    this.pending.delete(id);
    entry.release();
    settle(entry);
  }
}

function isAccepted(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'status' in payload && payload.status === 'accepted';
}
