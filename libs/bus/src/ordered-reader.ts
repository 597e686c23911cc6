import { AckPolicy, type ConsumerConfig, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { fullJitter, systemClock, timeout, ulid } from '@plexus/kernel';
import type { DeliveryInfo } from './delivery-reply.js';
import type { JetStreamApi } from './jetstream-api.js';
import { parseBody } from './json-body.js';
import type { Link } from './link.js';
import type { OrderedMessage } from './ordered.js';
import { tryParseSubject } from './parking.js';
import { PullSubscription } from './pull-subscription.js';
import { type ReadHeaders, readHeaders } from './wire-headers.js';

const NANOS_PER_MS = 1_000_000;
/** The server forgets a reader that has gone without saying so. */
const INACTIVE_MS = 30_000;
const CREATE_BACKOFF = { baseMs: 100, capMs: 5_000 };
const MIN_LIFE_MS = 200;
const STOP_WAIT_MS = 5_000;

/** Where a consumer starts: policy and sequence, in the server's terms. */
export type StartAt = Pick<ConsumerConfig, 'deliver_policy'> & { readonly opt_start_seq?: number };

export interface OrderedReaderOptions {
  readonly stream: string;
  readonly filter: string;
  readonly prefetch: number;
  readonly heartbeatMs?: number;
  readonly headersOnly?: boolean;
  /** Where to start, given the last sequence that was handed over (undefined: none yet). Asked for at every (re)creation. */
  startAt(lastSeq: number | undefined): StartAt;
  /** Called when a consumer was created; `pending` messages already exist for it. `lastSeq`: where it stands. */
  onCreated?(pending: number): void;
  onMessage(message: OrderedMessage): void | Promise<void>;
  /** Reading is over because the handler threw. */
  onFailed(error: unknown): void;
}

/**
 * Reads a stream in order through an ephemeral consumer without acknowledgements. Any doubt (a gap, a lost request, a restarted server)
 * is answered by making a new consumer right behind the last message that was handed over: nothing is skipped or repeated.
 */
export class OrderedReader {
  private pull: PullSubscription | undefined;
  private consumer: string | undefined;
  private expected = 1;
  private lastSeq: number | undefined;
  private readonly queue: { readonly message: Msg; readonly info: DeliveryInfo }[] = [];
  private busy: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  private creating: Promise<void> | undefined;
  private creation = new AbortController();
  private createdAt = Number.NEGATIVE_INFINITY;
  private stopListening: (() => void) | undefined;
  private markReady: (pending: number) => void = () => {};
  readonly ready: Promise<number>;

  constructor(
    private readonly link: Link,
    private readonly api: JetStreamApi,
    private readonly options: OrderedReaderOptions,
  ) {
    this.ready = new Promise((resolve) => {
      this.markReady = resolve;
    });
  }

  start(): void {
    this.stopListening = this.link.listen({ reconnected: () => this.recreate() });
    this.recreate();
  }

  /** Ends reading and waits for a handler that is still running, at most for a moment: it may be the one that calls this. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    this.creation.abort();
    this.stopListening?.();
    this.pull?.stop();
    this.queue.length = 0;
    await timeout(Promise.allSettled([this.creating, this.busy]), STOP_WAIT_MS, { what: 'handler' }).catch((error: unknown) => {
      this.link.log.debug({ err: error, stream: this.options.stream }, 'stopped reading while a handler still runs');
    });
    this.markReady(0);
    this.discard();
  }

  /** Throws away what is known about the consumer and makes a new one behind the last message handed over. */
  private recreate(): void {
    if (this.stopping.signal.aborted) return;
    this.pull?.stop();
    this.pull = undefined;
    this.queue.length = 0;
    this.discard();
    this.creation.abort();
    const creation = new AbortController();
    this.creation = creation;
    const previous = this.creating;
    this.creating = (async () => {
      await previous;
      // A handler that is still running decides where to go on.
      await this.busy;
      await this.create(creation.signal);
    })();
  }

  private async create(signal: AbortSignal): Promise<void> {
    const { stream } = this.options;
    // A consumer that is lost as soon as it is made must not be made in a tight loop.
    if (performance.now() - this.createdAt < MIN_LIFE_MS) await this.pause(MIN_LIFE_MS, signal);
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const name = `ord-${ulid()}`;
        const config = this.config(name);
        const info = await this.api.putConsumer(stream, config, { signal });
        this.consumer = name;
        if (signal.aborted) return this.discard();
        this.createdAt = performance.now();
        this.expected = 1;
        // "New" is relative to this moment; a later consumer has to go on from here.
        if (config.deliver_policy === DeliverPolicy.New) this.lastSeq = info.delivered.stream_seq;
        this.startPulling(name, signal);
        this.options.onCreated?.(info.num_pending);
        this.markReady(info.num_pending);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.link.log.warn({ err: error, stream, attempt }, 'an ordered consumer cannot be made yet');
        await this.pause(50 + fullJitter(attempt, CREATE_BACKOFF), signal);
      }
    }
  }

  /** Sleeps until the time is up or the signal aborts. */
  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  private config(name: string): Partial<ConsumerConfig> & { readonly name: string } {
    return {
      name,
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
      filter_subject: this.options.filter,
      ...(this.options.headersOnly && { headers_only: true }),
      ...this.options.startAt(this.lastSeq),
    };
  }

  private startPulling(consumer: string, creation: AbortSignal): void {
    const recreate = (): void => {
      if (!creation.aborted) this.recreate();
    };
    let started = false;
    this.pull = new PullSubscription(this.link, {
      stream: this.options.stream,
      consumer,
      maxMessages: this.options.prefetch,
      expiresMs: 30_000,
      heartbeatMs: this.options.heartbeatMs ?? 5_000,
      held: () => this.queue.length,
      onMessage: (message, info) => this.accept(message, info, recreate),
      onUnavailable: recreate,
      // The first start is ours; a second one means that requests were lost, and messages may be with them.
      onRestart: () => (started ? recreate() : undefined),
    });
    this.pull.start();
    started = true;
  }

  private accept(message: Msg, info: DeliveryInfo, recreate: () => void): void {
    if (info.consumerSeq !== this.expected) {
      recreate();
      return;
    }
    this.expected += 1;
    this.queue.push({ message, info });
    this.busy ??= this.work();
  }

  private async work(): Promise<void> {
    // One turn later, so that `busy` is set before the loop can end.
    await null;
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      const message = new ReadMessage(this.options.stream, next.message, next.info);
      try {
        await this.options.onMessage(message);
      } catch (error) {
        this.busy = undefined;
        this.options.onFailed(error);
        void this.stop();
        return;
      }
      this.lastSeq = message.seq;
      this.pull?.topUp();
    }
    this.busy = undefined;
  }

  /** Best effort, in the background: the server forgets an inactive consumer by itself. */
  private discard(): void {
    const { consumer } = this;
    this.consumer = undefined;
    if (consumer === undefined || !this.link.isConnected) return;
    this.api.deleteConsumer(this.options.stream, consumer, { timeoutMs: 1_000 }).catch((error: unknown) => {
      this.link.log.debug({ err: error, consumer }, 'an ordered consumer was left to expire');
    });
  }
}

/** Reads its parts when they are asked for. */
class ReadMessage implements OrderedMessage {
  private readMap: ReadHeaders | undefined;

  constructor(
    readonly stream: string,
    private readonly message: Msg,
    private readonly info: DeliveryInfo,
  ) {}

  get subject(): string {
    return this.message.subject;
  }

  get parsed(): OrderedMessage['parsed'] {
    return tryParseSubject(this.message.subject);
  }

  get seq(): number {
    return this.info.streamSeq;
  }

  get time(): number {
    return this.info.timeMs;
  }

  get raw(): Uint8Array {
    return this.message.data;
  }

  get headers(): ReadHeaders {
    this.readMap ??= readHeaders(this.message);
    return this.readMap;
  }

  get pending(): number {
    return this.info.pending;
  }

  json<T = unknown>(): T {
    return parseBody(this.message.data) as T;
  }
}
