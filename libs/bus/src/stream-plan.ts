import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  ReplayPolicy,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
  StorageType,
} from '@nats-io/jetstream';
import type { BucketDefinition, ConsumerDefinition, StreamDefinition } from '@plexus/contracts';
import { bucketStream } from './bucket-entry.js';

/** One asset of the stream plan compared with what the server stores. */
export interface PlanEntry {
  readonly kind: 'stream' | 'consumer' | 'bucket';
  /** Stream name, `<stream>/<consumer>`, or bucket name. */
  readonly asset: string;
  /** `conflict`: reaching the declared state would lose data or needs a new asset; `apply` leaves it alone and says so. */
  readonly action: 'create' | 'update' | 'ok' | 'conflict';
  readonly differences: readonly PlanDifference[];
}

export interface PlanDifference {
  readonly field: string;
  readonly declared: unknown;
  readonly stored: unknown;
  /** Present when the difference cannot be applied: why. */
  readonly reason?: string;
}

export interface PlanOptions {
  /** Upper bound for the size of each stream and bucket, in bytes: the server reserves what is declared, which small disks do not have. */
  readonly maxBytesCap?: number;
  /** Copies of each stream. Default 1; 3 in production. */
  readonly replicas?: number;
}

const NANOS_PER_MS = 1_000_000;
const DAY_MS = 86_400_000;
/** The server's own upper bound for requests that wait at one consumer. */
const MAX_WAITING = 512;

type Fields = Readonly<Record<string, unknown>>;

export type StreamFields = Partial<StreamConfig> & { readonly name: string };
export type ConsumerFields = Partial<ConsumerConfig> & { readonly name: string };

/** A declared stream in the server's terms. */
export function streamFields(definition: StreamDefinition, { maxBytesCap, replicas = 1 }: PlanOptions): StreamFields {
  return {
    name: definition.name,
    subjects: [...definition.subjects],
    retention: definition.retention === 'workqueue' ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    discard: definition.discard === 'new' ? DiscardPolicy.New : DiscardPolicy.Old,
    storage: StorageType.File,
    max_age: definition.maxAgeMs * NANOS_PER_MS,
    max_bytes: capped(definition.maxBytes, maxBytesCap),
    max_msg_size: definition.maxMessageBytes,
    duplicate_window: definition.duplicateWindowMs * NANOS_PER_MS,
    num_replicas: replicas,
    allow_direct: true,
  };
}

/** A declared bucket as the stream that every NATS client expects behind it. */
export function bucketFields(definition: BucketDefinition, { maxBytesCap, replicas = 1 }: PlanOptions): StreamFields {
  const window = definition.ttlMs > 0 ? Math.min(definition.ttlMs, 120_000) : 120_000;
  return {
    name: bucketStream(definition.name),
    subjects: [`$KV.${definition.name}.>`],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
    max_age: definition.ttlMs * NANOS_PER_MS,
    max_bytes: capped(definition.maxBytes, maxBytesCap),
    max_msgs_per_subject: definition.history,
    duplicate_window: window * NANOS_PER_MS,
    num_replicas: replicas,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
  };
}

/** A declared consumer in the server's terms. */
export function consumerFields(definition: ConsumerDefinition): ConsumerFields {
  return {
    name: definition.name,
    durable_name: definition.name,
    filter_subject: definition.filter,
    ack_policy: AckPolicy.Explicit,
    ack_wait: definition.ackWaitMs * NANOS_PER_MS,
    max_deliver: definition.maxDeliver,
    max_ack_pending: definition.maxAckPending,
    max_waiting: MAX_WAITING,
    deliver_policy: definition.deliver === 'new' ? DeliverPolicy.New : DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
  };
}

function capped(bytes: number, cap: number | undefined): number {
  return cap === undefined ? bytes : Math.min(bytes, cap);
}

/** Every declared field that the server stores otherwise. */
export function differences(declared: Fields, stored: Fields): PlanDifference[] {
  return Object.entries(declared)
    .filter(([field, value]) => !sameValue(value, stored[field]))
    .map(([field, value]) => ({ field, declared: value, stored: stored[field] }));
}

function sameValue(declared: unknown, stored: unknown): boolean {
  if (Array.isArray(declared)) return Array.isArray(stored) && declared.length === stored.length && declared.every((item) => stored.includes(item));
  // The server leaves out what is zero, false or "no limit".
  return declared === stored || (stored === undefined && (declared === 0 || declared === false)) || (declared === 0 && stored === -1);
}

/** Marks the differences that must not be applied: they would lose data, or the server cannot change them. */
export function judgeStream(found: readonly PlanDifference[], info: StreamInfo, now: number): PlanDifference[] {
  return found.map((difference) => {
    const reason = streamObjection(difference, info, now);
    return reason === undefined ? difference : { ...difference, reason };
  });
}

function streamObjection({ field, declared, stored }: PlanDifference, { state }: StreamInfo, now: number): string | undefined {
  const lower = isLower(declared, stored);
  switch (field) {
    case 'retention':
    case 'storage':
      return 'cannot be changed; make a new stream and move the messages';
    case 'max_bytes':
      return lower && state.bytes > (declared as number) ? `would delete messages: ${state.bytes} bytes are stored` : undefined;
    case 'max_age': {
      const oldest = state.messages > 0 ? now - Date.parse(String(state.first_ts)) : 0;
      return lower && oldest > (declared as number) / NANOS_PER_MS ? `would delete messages: the oldest is ${Math.floor(oldest / DAY_MS)} days old` : undefined;
    }
    case 'max_msgs_per_subject':
      return lower && state.messages > (state.num_subjects ?? 0) * (declared as number) ? 'would delete older revisions' : undefined;
    default:
      return undefined;
  }
}

/** Limits of 0 and -1 mean "none". */
function isLower(declared: unknown, stored: unknown): boolean {
  if (typeof declared !== 'number' || declared <= 0) return false;
  return typeof stored !== 'number' || stored <= 0 || declared < stored;
}

const FIXED_CONSUMER_FIELDS = new Set(['deliver_policy', 'ack_policy', 'replay_policy', 'max_waiting', 'durable_name', 'name']);

export function judgeConsumer(found: readonly PlanDifference[]): PlanDifference[] {
  return found.map((difference) =>
    FIXED_CONSUMER_FIELDS.has(difference.field)
      ? { ...difference, reason: 'cannot be changed; delete the consumer first, which forgets its position' }
      : difference,
  );
}

/** The verdict on one asset. */
export function entryFor(kind: PlanEntry['kind'], asset: string, found: readonly PlanDifference[] | undefined): PlanEntry {
  if (found === undefined) return { kind, asset, action: 'create', differences: [] };
  if (found.some((difference) => difference.reason !== undefined)) return { kind, asset, action: 'conflict', differences: found };
  return { kind, asset, action: found.length > 0 ? 'update' : 'ok', differences: found };
}
