import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node';
import { fullJitter, timeout } from '@plexus/kernel';
import { type DeliveryInfo, readDeliveryInfo } from './delivery-reply.js';
import { toJsonBytes } from './json-body.js';
import { LateLook } from './late-look.js';
import type { Link } from './link.js';

const NANOS_PER_MS = 1_000_000;
const DRAIN_MS = 1_000;
/** The first request under a new inbox ends this soon, so that one which the server lost (a consumer that is missing or still being recovered answers nothing at all) is noticed early. */
const PROBE_MS = 1_000;
const WATCH_MS = 250;
/** A watch that is this late: signs of life may have arrived meanwhile. */
const STALLED_MS = 1_000;

export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  /** Most messages that may be requested and not yet settled. */
  readonly maxMessages: number;
  /** How long one request waits at the server. */
  readonly expiresMs: number;
  /** The server gives a sign of life this often while a request waits; two missing ones mean that the request is lost. At most half of `expiresMs`. */
  readonly heartbeatMs: number;
  /** Messages that were handed over and not settled yet. */
  held(): number;
  onMessage(message: Msg, info: DeliveryInfo): void;
  /** The server does not know the consumer (any more), or says nothing about it. Asked again until it does. */
  onUnavailable(reason: string): void;
  /** Requests and whatever the server had sent for them may be lost. */
  onRestart?(): void;
}

/**
 * Keeps pull requests open at a consumer so that messages keep coming. Whatever happens to a request (expiry, lost connection, killed
 * server, missing heartbeats), all that is known about the past is thrown away and asked for anew under a fresh inbox.
 */
export class PullSubscription {
  private subscription: Subscription | undefined;
  private inbox = '';
  /** Messages requested and not yet received. */
  private outstanding = 0;
  private failures = 0;
  private lastSign = 0;
  private readonly lateLook = new LateLook(STALLED_MS);
  private watchdog: NodeJS.Timeout | undefined;
  private again: NodeJS.Timeout | undefined;
  private stopListening: (() => void) | undefined;
  private running = false;
  /** Something came for a request under the present inbox. */
  private proven = false;

  constructor(
    private readonly link: Link,
    private readonly options: PullOptions,
  ) {}

  start(): void {
    this.running = true;
    this.lateLook.begin();
    this.stopListening = this.link.listen({ disconnected: () => this.forget(), reconnected: () => this.restart() });
    this.watchdog = setInterval(() => this.watch(), WATCH_MS);
    if (this.link.isConnected) this.restart();
  }

  /** Requests nothing more. Messages that are on their way are dropped; the server delivers them again. */
  stop(): void {
    this.running = false;
    this.stopListening?.();
    clearInterval(this.watchdog);
    this.forget();
  }

  /** As {@link stop}, but messages that are on their way are still handed over, so that they can be handed back. Settles within a second. */
  async drain(): Promise<void> {
    const { subscription } = this;
    const connected = this.running && this.link.isConnected && !this.link.connection.isClosed();
    this.running = false;
    if (connected && subscription && !subscription.isClosed()) {
      await timeout(subscription.drain(), DRAIN_MS, { what: 'drain' }).catch((error: unknown) => {
        this.link.log.debug({ err: error, consumer: this.options.consumer }, 'messages on their way come again after the ack wait');
      });
    }
    this.stop();
  }

  /** Requests more messages when there is room for a worthwhile batch. Call it after a message was settled. */
  topUp(): void {
    if (!this.running || this.subscription === undefined || this.again !== undefined || this.link.connection.isClosed()) return;
    const room = this.options.maxMessages - this.options.held() - this.outstanding;
    if (room <= 0 || (this.outstanding > 0 && room < this.options.maxMessages / 2)) return;
    const { stream, consumer, expiresMs, heartbeatMs } = this.options;
    const request = this.proven
      ? { batch: room, expires: expiresMs * NANOS_PER_MS, idle_heartbeat: heartbeatMs * NANOS_PER_MS }
      : { batch: room, expires: PROBE_MS * NANOS_PER_MS };
    this.outstanding += room;
    this.lastSign = performance.now();
    this.link.connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, toJsonBytes(request), { reply: this.inbox });
  }

  private restart(): void {
    this.forget();
    if (!this.running || this.link.connection.isClosed() || this.link.connection.isDraining()) return;
    this.options.onRestart?.();
    this.inbox = createInbox(this.link.inboxPrefix);
    const { inbox } = this;
    this.subscription = this.link.connection.subscribe(inbox, {
      callback: (error, message) => {
        // A late message for an inbox that was given up.
        if (inbox !== this.inbox) return;
        if (error) this.unavailable(error.message);
        else this.onMessage(message);
      },
    });
    this.topUp();
  }

  private forget(): void {
    clearTimeout(this.again);
    this.again = undefined;
    this.outstanding = 0;
    this.proven = false;
    if (this.subscription && !this.subscription.isClosed() && !this.link.connection.isClosed()) this.subscription.unsubscribe();
    this.subscription = undefined;
    this.inbox = '';
  }

  private onMessage(message: Msg): void {
    this.lastSign = performance.now();
    this.proven = true;
    const info = readDeliveryInfo(message.reply);
    if (info === undefined) {
      this.onStatus(message.headers?.code ?? 0, message);
      return;
    }
    this.failures = 0;
    this.outstanding = Math.max(0, this.outstanding - 1);
    this.options.onMessage(message, info);
    this.topUp();
  }

  /** 100 sign of life; 408 the request ended; 409 it was refused or the consumer is gone; 404/503 nobody answers for the consumer. */
  private onStatus(code: number, message: Msg): void {
    if (code === 100) return;
    const description = message.headers?.description ?? '';
    if (code === 408) {
      const left = Number(message.headers?.get('Nats-Pending-Messages') || Number.NaN);
      this.failures = 0;
      this.outstanding = Number.isNaN(left) ? 0 : Math.max(0, this.outstanding - left);
      this.topUp();
      return;
    }
    this.unavailable(`${code} ${description}`.trim());
  }

  /** Asks again after a pause that grows. */
  private unavailable(reason: string): void {
    const { outstanding } = this;
    this.outstanding = 0;
    if (!this.running || this.again !== undefined) return;
    if (outstanding > 0 || this.failures === 0) this.options.onUnavailable(reason);
    this.failures += 1;
    const waitMs = 50 + fullJitter(this.failures, { baseMs: 50, capMs: 1_000 });
    this.again = setTimeout(() => this.restart(), waitMs);
  }

  private watch(): void {
    const now = performance.now();
    // What has arrived for the present inbox would be thrown away, and come again only after the ack wait.
    if (this.lateLook.isSpared(now) || !this.running || this.outstanding === 0 || !this.link.isConnected) return;
    const patienceMs = this.proven ? 2.5 * this.options.heartbeatMs : 1.5 * PROBE_MS;
    if (now - this.lastSign < patienceMs) return;
    this.options.onUnavailable('no sign of life');
    if (this.running) this.restart();
  }
}
