import { createInbox, InvalidArgumentError, InvalidSubjectError, type Msg, type MsgHdrs, type Subscription } from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';
import type { PlexusError } from '@plexus/kernel';
import { LateLook } from './late-look.js';
import type { Link } from './link.js';

/** Deadlines are swept together this often: a timer for each request would cost more than the request. Timeouts are late by at most this. */
const SWEEP_MS = 25;
/** A sweep that is this late: answers may have arrived meanwhile and are read before anything is given up. */
const STALLED_MS = 250;
/** Requests made while disconnected wait for the reconnect, but only this much of them. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
const NO_RESPONDERS_STATUS = 503;

export interface RequestOptions {
  readonly headers?: MsgHdrs | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Fail with UNAVAILABLE as soon as the connection is lost, for requests that may be repeated; others run into their timeout. */
  readonly failOnDisconnect?: boolean;
}

interface Pending {
  readonly resolve: (message: Msg) => void;
  readonly reject: (error: PlexusError) => void;
  readonly subject: string;
  readonly timeoutMs: number;
  readonly dueAt: number;
  readonly failOnDisconnect: boolean;
  unsent: { readonly body: Uint8Array; readonly headers: MsgHdrs | undefined } | undefined;
  release: (() => void) | undefined;
}

/**
 * Request/reply over one wildcard inbox subscription, one Map and one sweep. The client library's own `request` makes two Error objects,
 * a timer and a race for each request, which caps a process at a quarter of what the connection can do.
 */
export class RequestMultiplexer {
  private readonly pending = new Map<number, Pending>();
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private readonly stopListening: () => void;
  private sweeper: NodeJS.Timeout | undefined;
  private readonly lateLook = new LateLook(STALLED_MS);
  private lastId = 0;
  private unsentBytes = 0;
  /** Answers that came after their request had been given up. */
  late = 0;

  constructor(
    private readonly link: Link,
    private readonly maxPending: number,
  ) {
    this.inbox = `${createInbox(link.inboxPrefix)}.`;
    this.subscription = link.connection.subscribe(`${this.inbox}*`, { callback: (error, message) => this.onMessage(error, message) });
    this.stopListening = link.listen({
      disconnected: () => this.onDisconnected(),
      reconnected: () => this.sendUnsent(),
      closed: () => this.close(),
      publishDenied: (subject) => this.failWhere((entry) => entry.subject === subject, denied),
    });
  }

  get size(): number {
    return this.pending.size;
  }

  /** True once nothing can be sent any more. */
  get isClosed(): boolean {
    return this.link.connection.isClosed();
  }

  /** Sends a request. Rejects with NO_RESPONDERS, TIMEOUT, CANCELLED, QUEUE_FULL, PAYLOAD_TOO_LARGE, FORBIDDEN or UNAVAILABLE. */
  request(subject: string, body: Uint8Array, options: RequestOptions): Promise<Msg> {
    return new Promise((resolve, reject) => {
      if (this.pending.size >= this.maxPending) {
        reject(plexusError('QUEUE_FULL', { message: 'Too many requests await an answer.', details: { limit: this.maxPending } }));
        return;
      }
      if (options.signal?.aborted) {
        reject(plexusError('CANCELLED', { details: { subject } }));
        return;
      }
      const { timeoutMs } = options;
      const entry: Pending = {
        resolve,
        reject,
        subject,
        timeoutMs,
        dueAt: performance.now() + timeoutMs,
        failOnDisconnect: options.failOnDisconnect === true,
        unsent: undefined,
        release: undefined,
      };
      this.lastId += 1;
      const id = this.lastId;
      this.pending.set(id, entry);
      if (options.signal) this.cancelOnAbort(id, entry, options.signal);
      if (this.sweeper === undefined) {
        this.lateLook.begin();
        this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
      }
      this.send(id, entry, body, options.headers);
    });
  }

  /** Fails whatever is pending and takes nothing more. */
  close(): void {
    this.stopListening();
    this.failWhere(
      () => true,
      (entry) => plexusError('UNAVAILABLE', { message: 'The connection to NATS was closed.', details: { subject: entry.subject } }),
    );
    if (!this.link.connection.isClosed()) this.subscription.unsubscribe();
  }

  private send(id: number, entry: Pending, body: Uint8Array, headers: MsgHdrs | undefined): void {
    if (!this.link.isConnected && !this.link.connection.isClosed()) {
      // The client library throws away what is published during an outage as soon as it dials again.
      if (this.unsentBytes + body.length > MAX_UNSENT_BYTES) {
        this.take(id)?.reject(plexusError('UNAVAILABLE', { message: 'NATS is not connected and too much is waiting for it.' }));
        return;
      }
      entry.unsent = { body, headers };
      this.unsentBytes += body.length;
      return;
    }
    try {
      this.link.connection.publish(entry.subject, body, headers === undefined ? { reply: this.inbox + id } : { reply: this.inbox + id, headers });
    } catch (error) {
      this.take(id)?.reject(publishError(error, entry.subject, body.length));
    }
  }

  private onMessage(error: Error | null, message: Msg): void {
    if (error) {
      this.failWhere(
        () => true,
        (entry) => plexusError('UNAVAILABLE', { message: 'The inbox subscription was refused.', details: { subject: entry.subject }, cause: error }),
      );
      return;
    }
    const entry = this.take(Number(message.subject.slice(this.inbox.length)));
    if (entry === undefined) {
      this.late += 1;
      return;
    }
    if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS_STATUS) {
      entry.reject(plexusError('NO_RESPONDERS', { details: { subject: entry.subject } }));
      return;
    }
    entry.resolve(message);
  }

  /** Removes a pending request from every book. */
  private take(id: number): Pending | undefined {
    const entry = this.pending.get(id);
    if (entry === undefined) return undefined;
    this.pending.delete(id);
    if (entry.unsent) {
      this.unsentBytes -= entry.unsent.body.length;
      entry.unsent = undefined;
    }
    entry.release?.();
    return entry;
  }

  private cancelOnAbort(id: number, entry: Pending, signal: AbortSignal): void {
    const onAbort = (): void => this.take(id)?.reject(plexusError('CANCELLED', { details: { subject: entry.subject }, cause: signal.reason }));
    signal.addEventListener('abort', onAbort, { once: true });
    entry.release = () => signal.removeEventListener('abort', onAbort);
  }

  private sweep(): void {
    const now = performance.now();
    if (this.lateLook.isSpared(now)) return;
    this.failWhere((entry) => entry.dueAt <= now, timedOut);
    if (this.pending.size === 0) {
      clearInterval(this.sweeper);
      this.sweeper = undefined;
    }
  }

  private failWhere(matches: (entry: Pending) => boolean, errorFor: (entry: Pending) => PlexusError): void {
    for (const [id, entry] of this.pending) {
      if (matches(entry)) this.take(id)?.reject(errorFor(entry));
    }
  }

  private onDisconnected(): void {
    this.failWhere(
      (entry) => entry.failOnDisconnect && entry.unsent === undefined,
      (entry) => plexusError('UNAVAILABLE', { message: 'The connection to NATS was lost.', details: { subject: entry.subject } }),
    );
  }

  private sendUnsent(): void {
    for (const [id, entry] of this.pending) {
      const { unsent } = entry;
      if (unsent === undefined) continue;
      entry.unsent = undefined;
      this.unsentBytes -= unsent.body.length;
      this.send(id, entry, unsent.body, unsent.headers);
    }
  }
}

function timedOut(entry: Pending): PlexusError {
  return plexusError('TIMEOUT', { details: { subject: entry.subject, timeoutMs: entry.timeoutMs } });
}

function denied(entry: Pending): PlexusError {
  return plexusError('FORBIDDEN', { message: 'The NATS credential may not publish to this subject.', details: { subject: entry.subject } });
}

/** Translates what the client library throws when it will not send. */
export function publishError(error: unknown, subject: string, bytes: number): PlexusError {
  if (error instanceof InvalidArgumentError && /max_payload/.test(error.message)) {
    return plexusError('PAYLOAD_TOO_LARGE', { details: { bytes }, cause: error });
  }
  if (error instanceof InvalidSubjectError) return plexusError('INVALID_REQUEST', { message: 'The subject is not valid.', details: { subject }, cause: error });
  return plexusError('UNAVAILABLE', { message: 'The message cannot be sent.', details: { subject }, cause: error });
}
