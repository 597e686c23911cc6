import type { Msg } from '@nats-io/transport-node';
import { type ConsumerDefinition, NO_TENANT, plexusError } from '@plexus/contracts';
import { fullJitter, PlexusError, timeout } from '@plexus/kernel';
import type { ConsumeOptions, Consumption, ConsumptionStats } from './bus.js';
import type { Delivery, Outcome } from './delivery.js';
import type { DeliveryInfo } from './delivery-reply.js';
import { contractOf, decodeEvent } from './event-codec.js';
import { countConsumed, spanOfDelivery } from './instrumentation.js';
import { parseBody } from './json-body.js';
import type { Link } from './link.js';
import { parkCasualty, tryParseSubject } from './parking.js';
import type { Publisher } from './publisher.js';
import { PullSubscription } from './pull-subscription.js';
import { validatorFor } from './schema-validator.js';
import { readHeaders } from './wire-headers.js';

const ACK = Buffer.from('+ACK');
const WORKING = Buffer.from('+WPI');
const TERMINATE = Buffer.from('+TERM');
const NANOS_PER_MS = 1_000_000;
/** Never a bare negative ack: it would come back at once and spin. */
const MIN_RETRY_MS = 10;
const PARK_BACKOFF = { baseMs: 1_000, capMs: 30_000 };
const DEFAULT_BACKOFF = { baseMs: 250, capMs: 30_000 };
/** A consumer that stays away is named in the log this often, not at every attempt. */
const WARN_EVERY_MS = 30_000;

interface Held {
  readonly message: Msg;
  readonly info: DeliveryInfo;
  readonly abort: AbortController;
  /** An ending was sent; whatever comes later is ignored. */
  settled: boolean;
}

export type DeliveryHandler = (delivery: Delivery) => Promise<Outcome>;

/** Works through one durable consumer: fetches ahead, runs handlers side by side up to the bound, ends every delivery in one of three ways. */
export class DurableConsumption implements Consumption {
  private readonly pull: PullSubscription;
  private readonly waiting: Held[] = [];
  private readonly running = new Set<Held>();
  private readonly concurrency: number;
  private readonly keepAlive: NodeJS.Timeout;
  private readonly stopListening: () => void;
  /** Endings that could not be sent because the connection was down; never more than messages were held. */
  private unsent: { readonly reply: string; readonly payload: Uint8Array }[] = [];
  private warnedAt = Number.NEGATIVE_INFINITY;
  private onIdle: (() => void) | undefined;
  private stopped: Promise<void> | undefined;
  private delivered = 0;
  private done = 0;
  private retried = 0;
  private parked = 0;
  private failed = 0;

  constructor(
    private readonly link: Link,
    private readonly publisher: Publisher,
    private readonly definition: ConsumerDefinition,
    private readonly handler: DeliveryHandler,
    private readonly options: ConsumeOptions,
  ) {
    this.concurrency = Math.max(1, options.concurrency ?? 16);
    const maxMessages = Math.min(options.maxMessages ?? this.concurrency * 2, definition.maxAckPending);
    this.pull = new PullSubscription(link, {
      stream: definition.stream,
      consumer: definition.name,
      maxMessages: Math.max(this.concurrency, maxMessages),
      expiresMs: 30_000,
      heartbeatMs: options.heartbeatMs ?? 5_000,
      held: () => this.waiting.length + this.running.size,
      onMessage: (message, info) => this.accept(message, info),
      onUnavailable: (reason) => this.warnUnavailable(reason),
    });
    this.stopListening = link.listen({ reconnected: () => this.sendUnsent() });
    // Messages that wait for a free handler are held as well, and must not be delivered to somebody else meanwhile.
    this.keepAlive = setInterval(() => this.sayWorking(), Math.max(50, Math.floor(definition.ackWaitMs / 3)));
    this.pull.start();
  }

  get stats(): ConsumptionStats {
    const { delivered, done, retried, parked, failed } = this;
    return { delivered, done, retried, parked, failed, inFlight: this.running.size };
  }

  stop(): Promise<void> {
    this.stopped ??= this.drain();
    return this.stopped;
  }

  private async drain(): Promise<void> {
    // Only when the server knows that we want nothing more: what is handed back before would come straight back.
    await this.pull.drain();
    for (const held of this.waiting.splice(0)) this.handBack(held);
    if (this.running.size > 0 && !this.link.connection.isClosed()) {
      const idle = new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
      const late = setTimeout(() => this.onIdle?.(), this.options.drainTimeoutMs ?? 10_000);
      await idle;
      clearTimeout(late);
    }
    clearInterval(this.keepAlive);
    this.stopListening();
    for (const held of this.running) {
      this.handBack(held);
      held.abort.abort(plexusError('CANCELLED', { message: 'The service is stopping.' }));
    }
    if (this.link.isConnected && !this.link.connection.isDraining()) await this.flush();
  }

  /** So that endings sent just before are at the server when the process exits. */
  private async flush(): Promise<void> {
    try {
      await timeout(this.link.connection.flush(), 2_000, { what: 'flush' });
    } catch (error) {
      this.link.log.debug({ err: error, consumer: this.definition.name }, 'acks may be lost; their messages come again');
    }
  }

  private warnUnavailable(reason: string): void {
    const now = performance.now();
    if (now - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = now;
    this.link.log.warn({ consumer: this.definition.name, stream: this.definition.stream, reason }, 'the consumer cannot be reached; asking again');
  }

  private accept(message: Msg, info: DeliveryInfo): void {
    this.delivered += 1;
    this.waiting.push({ message, info, abort: new AbortController(), settled: false });
    this.startWaiting();
  }

  private startWaiting(): void {
    while (this.running.size < this.concurrency && this.stopped === undefined) {
      const held = this.waiting.shift();
      if (held === undefined) return;
      this.running.add(held);
      void this.run(held);
    }
  }

  private async run(held: Held): Promise<void> {
    const startedAt = performance.now();
    const outcome = await this.handle(held);
    await this.settle(held, outcome);
    this.running.delete(held);
    countConsumed(this.definition.name, outcome.kind === 'failed' ? 'error' : outcome.kind, performance.now() - startedAt, this.running.size);
    if (this.stopped === undefined) {
      this.startWaiting();
      this.pull.topUp();
    } else if (this.running.size === 0) this.onIdle?.();
  }

  private async handle(held: Held): Promise<Ending> {
    const { definition } = this;
    try {
      const delivery = this.deliveryOf(held);
      const limitMs = this.options.handlerTimeoutMs ?? 300_000;
      const outcome = await spanOfDelivery(definition.name, delivery.headers, delivery.attempt, () =>
        timeout(this.invoke(delivery), limitMs, { what: `handler of ${definition.name}`, signal: held.abort.signal }),
      );
      return isOutcome(outcome) ? outcome : { kind: 'failed', error: new TypeError(`the handler returned ${JSON.stringify(outcome)} instead of an outcome`) };
    } catch (error) {
      if (error instanceof Undeliverable) return { kind: 'park', code: error.cause.code, reason: describe(error.cause) };
      held.abort.abort(error);
      return { kind: 'failed', error };
    }
  }

  /** A handler that throws before its first await fails like any other. */
  private async invoke(delivery: Delivery): Promise<Outcome> {
    return this.handler(delivery);
  }

  private deliveryOf(held: Held): Delivery {
    const { message, info } = held;
    const parsed = tryParseSubject(message.subject);
    const delivery = {
      subject: message.subject,
      ...(parsed && { parsed }),
      tenant: parsed?.tenant ?? NO_TENANT,
      key: parsed?.key ?? [],
      raw: message.data,
      headers: readHeaders(message),
      seq: info.streamSeq,
      time: info.timeMs,
      attempt: info.attempt,
      working: () => this.send(held, WORKING),
      signal: held.abort.signal,
    };
    try {
      return { ...delivery, ...this.content(message, delivery.parsed) };
    } catch (error) {
      throw PlexusError.isPlexusError(error) ? new Undeliverable(error) : error;
    }
  }

  /** Reads the body in the format of this consumer. Throws the PlexusError with which the message is parked. */
  private content(message: Msg, parsed: Delivery['parsed']): Pick<Delivery, 'event' | 'data'> {
    const { format = 'event', contracts } = this.options;
    if (format === 'raw') return { data: undefined };
    if (format === 'json') return { data: parseBody(message.data) };
    if (parsed === undefined) throw plexusError('INVALID_EVENT', { message: 'The subject is not one of ours.' });
    const event = decodeEvent(message.data, parsed);
    const contract = contracts && contractOf(parsed, contracts);
    if (contract === undefined) return { event, data: event.data };
    try {
      return { event, data: validatorFor(contract.data).tolerant(event.data) };
    } catch (error) {
      if (!PlexusError.isPlexusError(error)) throw error;
      throw plexusError('INVALID_EVENT', { message: 'The data does not fit its contract.', ...(error.details && { details: error.details }) });
    }
  }

  private async settle(held: Held, ending: Ending): Promise<void> {
    // Handed back while its handler ran; whatever that says is too late.
    if (held.settled) return;
    switch (ending.kind) {
      case 'done':
        if (this.send(held, ACK, true)) this.done += 1;
        return;
      case 'retry':
        if (this.isLast(held)) return this.park(held, 'MAX_DELIVERIES', ending.reason);
        this.link.log.debug(
          { consumer: this.definition.name, seq: held.info.streamSeq, attempt: held.info.attempt, reason: ending.reason },
          'trying again later',
        );
        this.negativeAck(held, ending.afterMs);
        return;
      case 'park':
        return this.park(held, ending.code, ending.reason);
      case 'failed':
        this.failed += 1;
        this.link.log.error(
          { err: ending.error, consumer: this.definition.name, seq: held.info.streamSeq, attempt: held.info.attempt },
          'a message handler failed',
        );
        if (this.isLast(held)) return this.park(held, 'HANDLER_FAILED', describe(ending.error));
        this.negativeAck(held, fullJitter(held.info.attempt - 1, this.options.backoff ?? DEFAULT_BACKOFF));
    }
  }

  private isLast(held: Held): boolean {
    return this.definition.maxDeliver > 0 && held.info.attempt >= this.definition.maxDeliver;
  }

  /** Stores the original bytes among the dead letters, then ends the delivery. While that fails the message stays where it is. */
  private async park(held: Held, code: string, reason: string): Promise<void> {
    if (held.settled) return;
    const { message, info } = held;
    const { name: consumer, stream } = this.definition;
    const casualty = {
      subject: message.subject,
      raw: message.data,
      headers: readHeaders(message),
      stream,
      seq: info.streamSeq,
      consumer,
      attempts: info.attempt,
      code,
      reason,
    };
    try {
      await parkCasualty(this.publisher, casualty);
    } catch (error) {
      this.link.log.error({ err: error, consumer, seq: info.streamSeq, code }, 'a message could not be parked and stays in its stream');
      this.negativeAck(held, Math.max(1_000, fullJitter(info.attempt, PARK_BACKOFF)));
      return;
    }
    this.link.log.warn({ consumer, stream, seq: info.streamSeq, subject: message.subject, code, reason }, 'a message was parked');
    if (this.send(held, TERMINATE, true)) this.parked += 1;
  }

  private negativeAck(held: Held, afterMs: number): void {
    const delay = Math.round(Math.max(MIN_RETRY_MS, afterMs) * NANOS_PER_MS);
    if (this.send(held, Buffer.from(`-NAK {"delay": ${delay}}`), true)) this.retried += 1;
  }

  /** For a message that this process will not handle any more. */
  private handBack(held: Held): void {
    this.send(held, Buffer.from(`-NAK {"delay": ${MIN_RETRY_MS * NANOS_PER_MS}}`), true);
  }

  private sayWorking(): void {
    for (const held of this.waiting) this.send(held, WORKING);
    for (const held of this.running) this.send(held, WORKING);
  }

  /** Sends an ending or a sign of life. False when the delivery had ended before. A lost one means that the message comes again. */
  private send(held: Held, payload: Uint8Array, final = false): boolean {
    if (held.settled) return false;
    held.settled = final;
    const reply = held.message.reply as string;
    if (this.link.isConnected) this.publish(reply, payload);
    // The client library would lose it; sent after the reconnect it saves a repetition.
    else if (final) this.unsent.push({ reply, payload });
    return true;
  }

  private sendUnsent(): void {
    const { unsent } = this;
    this.unsent = [];
    for (const { reply, payload } of unsent) this.publish(reply, payload);
  }

  private publish(reply: string, payload: Uint8Array): void {
    try {
      this.link.connection.publish(reply, payload);
    } catch (error) {
      this.link.log.debug({ err: error, consumer: this.definition.name }, 'an ack could not be sent; its message comes again');
    }
  }
}

type Ending = Outcome | { readonly kind: 'failed'; readonly error: unknown };

/** The message itself is wrong: no handler can change that. */
class Undeliverable extends Error {
  constructor(override readonly cause: PlexusError) {
    super(cause.message);
  }
}

function isOutcome(value: unknown): value is Outcome {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, afterMs, code } = value as { readonly kind?: unknown; readonly afterMs?: unknown; readonly code?: unknown };
  return kind === 'done' || (kind === 'retry' && Number.isFinite(afterMs)) || (kind === 'park' && typeof code === 'string');
}

function describe(error: unknown): string {
  if (PlexusError.isPlexusError(error) && error.details) return `${error.message} ${JSON.stringify(error.details)}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
