import type {
  BucketDefinition,
  ConsumerDefinition,
  Contract,
  DataOf,
  InputOf,
  LiveContract,
  ResponseOf,
  RpcContract,
  StreamDefinition,
} from '@plexus/contracts';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Bucket } from './bucket.js';
import type { BusLog } from './bus-log.js';
import type { Delivery, DeliveryFormat, Outcome } from './delivery.js';
import type { JetStreamApi } from './jetstream-api.js';
import type { OrderedMessage, OrderedReading, OrderedReadingOptions, ReadOrderedOptions } from './ordered.js';
import type { Casualty } from './parking.js';
import type { EncodedEvent, EventInput, PubAck, PublishOptions, RawPublishOptions, StoredContract } from './publication.js';
import type { CallOptions, RpcContext, RpcHandler, ServeOptions, Serving } from './rpc.js';

export interface ConsumeOptions {
  /** Handlers running at the same time. Default 16. 1 keeps the order of the stream as long as nothing is retried. */
  readonly concurrency?: number;
  /** Messages fetched ahead of the handlers. Default: twice the concurrency. */
  readonly maxMessages?: number;
  /** Default `event`. */
  readonly format?: DeliveryFormat;
  /** Data of messages of these contracts is validated (tolerantly); what does not fit is parked as INVALID_EVENT. */
  readonly contracts?: readonly Contract[];
  /** How long `stop()` waits for running handlers before their messages are handed back, in milliseconds. Default 10,000. */
  readonly drainTimeoutMs?: number;
  /** Pause before a message is tried again after its handler threw: full jitter up to `baseMs · 2^(attempt-1)`, at most `capMs`. Default 250 / 30,000. */
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
  /** A handler that takes longer counts as failed, in milliseconds. Default 300,000. */
  readonly handlerTimeoutMs?: number;
  /** The server says this often that a waiting request is alive, in milliseconds; two missing signs and it is made anew. 500 … 15,000, default 5,000. */
  readonly heartbeatMs?: number;
}

/** A running consumption. */
export interface Consumption {
  /** Fetches nothing more, waits for running handlers up to the drain timeout, hands the rest back at once. */
  stop(): Promise<void>;
  readonly stats: ConsumptionStats;
}

/** Counters since the start, and what is going on now. */
export interface ConsumptionStats {
  readonly delivered: number;
  readonly done: number;
  readonly retried: number;
  readonly parked: number;
  readonly failed: number;
  readonly inFlight: number;
}

export interface LiveListening {
  stop(): void;
}

/** What a service needs to find on the server. */
export interface TopologyNeed {
  readonly streams?: readonly (StreamDefinition | string)[];
  readonly consumers?: readonly ConsumerDefinition[];
  readonly buckets?: readonly BucketDefinition[];
}

export interface DiscoveryInfo {
  /** Semantic version of the service. */
  readonly version: string;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** How this replica is now; travels as `data` of its STATS. */
  readonly data?: () => Readonly<Record<string, unknown>>;
}

export interface Discovery {
  stop(): void;
}

/** The mesh as one program sees it. Every failure is a PlexusError with a stable code. */
export interface Bus {
  readonly service: string;
  /** What answers to this program may begin with; its permissions know it. */
  readonly inboxPrefix: string;
  readonly connection: NatsConnection;
  readonly log: BusLog;
  /** The JetStream API over this bus; for tools. */
  readonly jetstream: JetStreamApi;
  isConnected(): boolean;

  /** Asks one question. Fails with the remote code, NO_RESPONDERS (nobody home: certain), TIMEOUT (unknown), or CANCELLED. */
  call<C extends RpcContract>(rpc: C, tenant: string, data: InputOf<C>, options?: CallOptions): Promise<ResponseOf<C>>;
  /** Answers a contract's questions, together with the other replicas of this service. */
  serve<C extends RpcContract>(rpc: C, handler: RpcHandler<C>, options?: ServeOptions): Serving;

  /** One request with raw bytes through the multiplexer; for protocols that are not contracts. Fails like {@link call}, but reads nothing into the answer. */
  request(subject: string, body: Uint8Array, options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Msg>;

  /** Stores one event and waits for the stream's receipt. Fails with INVALID_REQUEST, PAYLOAD_TOO_LARGE, TIMEOUT or UNAVAILABLE. */
  publish<C extends StoredContract>(contract: C, event: EventInput<C>, options?: PublishOptions): Promise<PubAck>;
  /** The same event as bytes, to be stored in an outbox within a transaction and sent later by {@link publishRaw}. */
  encodeEvent<C extends StoredContract>(contract: C, event: EventInput<C>): EncodedEvent;
  /** Appends bytes to a stream and waits for the receipt. Fails with CONFLICT when `expectedLastSubjectSeq` does not hold. */
  publishRaw(subject: string, body: Uint8Array, options?: RawPublishOptions): Promise<PubAck>;

  /** Sends an ephemeral frame; it may be lost. Throws INVALID_REQUEST when the data does not fit. */
  publishLive<C extends LiveContract>(contract: C, tenant: string, key: readonly string[], data: InputOf<C>): void;
  /** Receives ephemeral frames; what does not fit the contract is dropped and counted in the log. */
  listenLive<C extends LiveContract>(
    contract: C,
    selection: { readonly tenant?: string; readonly key?: readonly string[] },
    handler: (data: DataOf<C>, address: { readonly tenant: string; readonly key: readonly string[] }) => void | Promise<void>,
  ): LiveListening;

  /** Works through a durable consumer until stopped; survives disconnects and restarts of the server. */
  consume(definition: ConsumerDefinition, handler: (delivery: Delivery) => Promise<Outcome>, options?: ConsumeOptions): Consumption;
  /** Reads a stream in order, without gaps or repeats; one message at a time. */
  readOrdered(
    stream: string,
    selection: ReadOrderedOptions,
    handler: (message: OrderedMessage) => void | Promise<void>,
    options?: OrderedReadingOptions,
  ): OrderedReading;
  lastOnSubject(stream: string, subject: string): Promise<OrderedMessage | undefined>;
  messageAt(stream: string, seq: number): Promise<OrderedMessage | undefined>;

  /** Stores a message that nobody can handle among the dead letters and waits for the receipt. `consume` does it by itself. */
  park(casualty: Casualty): Promise<void>;

  /** Fails with STREAM_PLAN_MISMATCH when the bucket does not exist. */
  kv(bucket: BucketDefinition): Promise<Bucket>;
  /** Compares what the server stores with what is needed. Fails with STREAM_PLAN_MISMATCH, listing every difference. */
  checkPlan(need: TopologyNeed): Promise<void>;
  /** Answers `$SRV.PING|INFO|STATS` (ADR-32) with what is being served. */
  registerDiscovery(info: DiscoveryInfo): Discovery;

  /** Stops taking work, sends what is queued, and closes. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export type { RpcContext };
