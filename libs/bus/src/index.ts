export type { Bucket, BucketChange, BucketEntry, BucketValue, BucketWatch } from './bucket.js';
export type {
  Bus,
  BusCredentials,
  BusIdentity,
  BusOptions,
  ConsumeOptions,
  Consumption,
  ConsumptionStats,
  Discovery,
  DiscoveryInfo,
  LiveListening,
  TopologyNeed,
} from './bus.js';
export { type BusLog, silentLog } from './bus-log.js';
export type { ParkedMessage } from './dead-letters.js';
export type { Delivery, DeliveryFormat, Outcome } from './delivery.js';
export type { OrderedMessage, OrderedReading, OrderedReadingOptions, ReadOrderedOptions } from './ordered.js';
export type { EncodedEvent, EventInput, PubAck, PublishOptions, RawPublishOptions, StoredContract } from './publication.js';
export type { CallOptions, RpcContext, RpcHandler, ServeOptions, Serving, ServingStats } from './rpc.js';
export type { PlanDifference, PlanEntry } from './stream-plan.js';

import type { Bus, BusOptions } from './bus.js';
import type { ParkedMessage } from './dead-letters.js';
import type { Delivery, Outcome } from './delivery.js';
import type { PlanEntry } from './stream-plan.js';

/** Connects. Reconnects for ever with jitter. Fails with UNAVAILABLE when the first connection does not succeed in time. */
export declare function connectBus(options: BusOptions): Promise<Bus>;
/** What `applyStreams` would do. */
export declare function planStreams(bus: Bus, options?: { readonly maxBytesCap?: number; readonly replicas?: number }): Promise<PlanEntry[]>;
/** Creates and updates what the contracts declare, reads back what the server stored; never deletes or lowers data: that is a `conflict`. */
export declare function applyStreams(bus: Bus, options?: { readonly maxBytesCap?: number; readonly replicas?: number }): Promise<PlanEntry[]>;
/** Parked messages, oldest first. `after`: the `seq` of the last page's last entry. */
export declare function listParked(
  bus: Bus,
  options?: { readonly tenant?: string; readonly consumer?: string; readonly after?: number; readonly limit?: number },
): Promise<ParkedMessage[]>;
export declare function showParked(
  bus: Bus,
  seq: number,
): Promise<(ParkedMessage & { readonly body: Uint8Array; readonly headers: ReadonlyMap<string, string> }) | undefined>;
/** Publishes the original bytes to the original subject under a new message id, then removes the parked one. NOT_FOUND when there is none. */
export declare function redrive(bus: Bus, seq: number): Promise<{ readonly stream: string; readonly seq: number }>;
export declare function drop(bus: Bus, seq: number): Promise<boolean>;
/** Handler for the consumer `routing-advisories` (format `json`): parks messages whose deliveries were exhausted by crashes. */
export declare function parkExhausted(bus: Bus): (delivery: Delivery) => Promise<Outcome>;
