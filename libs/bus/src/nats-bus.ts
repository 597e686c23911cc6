import { DeliverPolicy } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { BucketDefinition, ConsumerDefinition, DataOf, InputOf, LiveContract, ResponseOf, RpcContract } from '@plexus/contracts';
import { plexusError } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import { checkTopology, requireBucket } from './apply-plan.js';
import type { Bucket } from './bucket.js';
import type { Bus, ConsumeOptions, Consumption, Discovery, DiscoveryInfo, LiveListening, TopologyNeed } from './bus.js';
import type { BusLog } from './bus-log.js';
import type { BusOptions } from './bus-options.js';
import { answerDiscovery } from './discovery.js';
import { type DeliveryHandler, DurableConsumption } from './durable-consumption.js';
import { JetStreamApi } from './jetstream-api.js';
import { KeyValueBucket } from './key-value.js';
import type { Link } from './link.js';
import { listenLive, publishLive } from './live.js';
import type { OrderedMessage, OrderedReading, OrderedReadingOptions, ReadOrderedOptions } from './ordered.js';
import { OrderedReader, type StartAt } from './ordered-reader.js';
import { type Casualty, parkCasualty } from './parking.js';
import type { EncodedEvent, EventInput, PubAck, PublishOptions, RawPublishOptions, StoredContract } from './publication.js';
import { Publisher } from './publisher.js';
import { RequestMultiplexer } from './request-multiplexer.js';
import type { CallOptions, RpcHandler, ServeOptions, Serving } from './rpc.js';
import { RpcClient } from './rpc-client.js';
import { type Admission, ServedContract } from './rpc-server.js';
import { toOrderedMessage } from './stored-message.js';
import { coveringFilter, subjectMatches } from './subject-filter.js';
import { TokenCache } from './token-cache.js';

const MAX_PENDING_REQUESTS = 65_536;
const CLOSE_TIMEOUT_MS = 2_000;

/** Anything that runs until it is stopped. */
interface Running {
  stop(): void | Promise<void>;
}

/** Puts the parts together; each does one thing and knows nothing of the others. */
export class NatsBus implements Bus {
  readonly jetstream: JetStreamApi;
  private readonly multiplexer: RequestMultiplexer;
  private readonly client: RpcClient;
  private readonly publisher: Publisher;
  private readonly admission: Admission;
  private readonly servings = new Set<ServedContract<RpcContract>>();
  private readonly consumptions = new Set<Running>();
  private readonly readers = new Set<Running>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly link: Link,
    options: BusOptions,
  ) {
    this.multiplexer = new RequestMultiplexer(link, options.maxPendingRequests ?? MAX_PENDING_REQUESTS);
    this.jetstream = new JetStreamApi(this.multiplexer);
    this.client = new RpcClient(this.multiplexer, options.identity, options.requestTimeoutMs);
    this.publisher = new Publisher(link, this.multiplexer);
    this.admission = {
      identity: options.identity,
      allowAnonymous: options.allowAnonymous === true,
      tenantExists: options.tenantExists ?? (() => true),
      tokens: new TokenCache(),
    };
  }

  get service(): string {
    return this.link.service;
  }

  get inboxPrefix(): string {
    return this.link.inboxPrefix;
  }

  get connection(): NatsConnection {
    return this.link.connection;
  }

  get log(): BusLog {
    return this.link.log;
  }

  isConnected(): boolean {
    return this.link.isConnected;
  }

  call<C extends RpcContract>(rpc: C, tenant: string, data: InputOf<C>, options?: CallOptions): Promise<ResponseOf<C>> {
    return this.client.call(rpc, tenant, data, options);
  }

  serve<C extends RpcContract>(rpc: C, handler: RpcHandler<C>, options: ServeOptions = {}): Serving {
    this.refuseWhenClosing();
    const serving = new ServedContract(this.link, rpc, handler, this.admission, options);
    this.servings.add(serving as never);
    return {
      get stats() {
        return serving.stats;
      },
      stop: () => {
        this.servings.delete(serving as never);
        return serving.stop();
      },
    };
  }

  request(subject: string, body: Uint8Array, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Msg> {
    return this.multiplexer.request(subject, body, options);
  }

  publish<C extends StoredContract>(contract: C, event: EventInput<C>, options?: PublishOptions): Promise<PubAck> {
    return this.publisher.publish(contract, event, options);
  }

  encodeEvent<C extends StoredContract>(contract: C, event: EventInput<C>): EncodedEvent {
    return this.publisher.encode(contract, event);
  }

  publishRaw(subject: string, body: Uint8Array, options?: RawPublishOptions): Promise<PubAck> {
    return this.publisher.publishRaw(subject, body, options);
  }

  publishLive<C extends LiveContract>(contract: C, tenant: string, key: readonly string[], data: InputOf<C>): void {
    publishLive(this.link, contract, tenant, key, data);
  }

  listenLive<C extends LiveContract>(
    contract: C,
    selection: { readonly tenant?: string; readonly key?: readonly string[] },
    handler: (data: DataOf<C>, address: { readonly tenant: string; readonly key: readonly string[] }) => void | Promise<void>,
  ): LiveListening {
    this.refuseWhenClosing();
    return this.tracked(this.readers, listenLive(this.link, contract, selection, handler));
  }

  consume(definition: ConsumerDefinition, handler: DeliveryHandler, options: ConsumeOptions = {}): Consumption {
    this.refuseWhenClosing();
    return this.tracked(this.consumptions, new DurableConsumption(this.link, this.publisher, definition, handler, options));
  }

  readOrdered(
    stream: string,
    selection: ReadOrderedOptions,
    handler: (message: OrderedMessage) => void | Promise<void>,
    options: OrderedReadingOptions = {},
  ): OrderedReading {
    this.refuseWhenClosing();
    const filters = typeof selection.filter === 'string' ? [selection.filter] : selection.filter;
    const onlySome = filters.length > 1;
    const reader = new OrderedReader(this.link, this.jetstream, {
      stream,
      filter: coveringFilter(filters),
      prefetch: options.prefetch ?? 256,
      startAt: (lastSeq) => startAt(selection.from, lastSeq),
      onMessage: (message) => {
        if (onlySome && !filters.some((filter) => subjectMatches(filter, message.subject))) return;
        return handler(message);
      },
      onFailed: options.onError ?? ((error) => this.log.error({ err: error, stream }, 'ordered reading ended: its handler failed')),
    });
    reader.start();
    return this.tracked(this.readers, reader);
  }

  async lastOnSubject(stream: string, subject: string): Promise<OrderedMessage | undefined> {
    const stored = await this.jetstream.message(stream, { last_by_subj: subject });
    return stored && toOrderedMessage(stream, stored);
  }

  async messageAt(stream: string, seq: number): Promise<OrderedMessage | undefined> {
    const stored = await this.jetstream.message(stream, { seq });
    return stored && toOrderedMessage(stream, stored);
  }

  park(casualty: Casualty): Promise<void> {
    return parkCasualty(this.publisher, casualty);
  }

  async kv(bucket: BucketDefinition): Promise<Bucket> {
    await requireBucket(this.jetstream, bucket.name);
    const { link, jetstream: api, publisher } = this;
    return new KeyValueBucket({ link, api, publisher, track: (watch) => void this.readers.add(watch) }, bucket);
  }

  checkPlan(need: TopologyNeed): Promise<void> {
    return checkTopology(this.jetstream, need);
  }

  registerDiscovery(info: DiscoveryInfo): Discovery {
    this.refuseWhenClosing();
    return this.tracked(
      this.readers,
      answerDiscovery(this.link, info, () => [...this.servings].map((serving) => serving.stats)),
    );
  }

  drain(): Promise<void> {
    this.closing ??= this.shutDown(true);
    return this.closing;
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown(false);
    return this.closing;
  }

  /** Work that comes from outside ends first, then what reads, so that handlers can use the bus until they are done. */
  private async shutDown(gracefully: boolean): Promise<void> {
    const stopWork = (): Promise<unknown> => Promise.all([...this.servings, ...this.consumptions].map((running) => running.stop()));
    if (gracefully) await stopWork();
    await Promise.all([...this.readers].map((running) => running.stop()));
    if (gracefully && this.link.isConnected) {
      await timeout(this.connection.flush(), CLOSE_TIMEOUT_MS, { what: 'flush' }).catch((error: unknown) => {
        this.log.warn({ err: error }, 'what was sent last may be lost');
      });
    }
    this.multiplexer.close();
    if (!this.connection.isClosed()) await this.connection.close();
    if (!gracefully) await stopWork();
  }

  private refuseWhenClosing(): void {
    if (this.closing) throw plexusError('UNAVAILABLE', { message: 'The bus is closing.' });
  }

  /** Remembers what runs until it is stopped. */
  private tracked<R extends Running>(set: Set<Running>, running: R): R {
    set.add(running);
    const stop = running.stop.bind(running);
    running.stop = () => {
      set.delete(running);
      return stop();
    };
    return running;
  }
}

function startAt(from: ReadOrderedOptions['from'], lastSeq: number | undefined): StartAt {
  if (lastSeq !== undefined) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: lastSeq + 1 };
  if (typeof from === 'object') return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, from.startSeq) };
  if (from === 'new') return { deliver_policy: DeliverPolicy.New };
  return { deliver_policy: from === 'all' ? DeliverPolicy.All : DeliverPolicy.Last };
}
