export { raiseSequence, restoreStream, type SnapshotBus, type StreamSnapshot, snapshotStream } from './backup/stream-snapshot.js';
export { applyStreams, planStreams } from './apply-plan.js';
export type { Bucket, BucketChange, BucketEntry, BucketValue, BucketWatch } from './bucket.js';
export type {
  Bus,
  ConsumeOptions,
  Consumption,
  ConsumptionStats,
  Discovery,
  DiscoveryInfo,
  LiveListening,
  TopologyNeed,
} from './bus.js';
export { type BusLog, silentLog } from './bus-log.js';
export type { BusCredentials, BusIdentity, BusOptions, BusTls } from './bus-options.js';
export { connectBus } from './connect-bus.js';
export { drop, type ListParkedOptions, listParked, type ParkedDetail, type ParkedMessage, parkExhausted, redrive, showParked } from './dead-letters.js';
export { discoverServices, type DiscoverOptions, type FoundEndpoint, type FoundReplica } from './discover-services.js';
export type { Delivery, DeliveryFormat, Outcome } from './delivery.js';
export type { JetStreamApi, StoredMessage } from './jetstream-api.js';
export type { OrderedMessage, OrderedReading, OrderedReadingOptions, ReadOrderedOptions } from './ordered.js';
export type { Casualty } from './parking.js';
export type { EncodedEvent, EventInput, PubAck, PublishOptions, RawPublishOptions, StoredContract } from './publication.js';
export type { CallOptions, RpcContext, RpcHandler, ServeOptions, Serving, ServingStats } from './rpc.js';
export type { ValidationIssue } from './schema-validator.js';
export type { PlanDifference, PlanEntry, PlanOptions } from './stream-plan.js';
export { coveringFilter, subjectMatches } from './subject-filter.js';
