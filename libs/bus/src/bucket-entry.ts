import type { BucketEntry, BucketWatch } from './bucket.js';
import type { JetStreamApi } from './jetstream-api.js';
import { parseBody } from './json-body.js';
import type { Link } from './link.js';
import type { OrderedMessage } from './ordered.js';
import type { Publisher } from './publisher.js';

/** Header that tells a deletion marker from a value. */
export const OPERATION = 'KV-Operation';

export const bucketStream = (bucket: string): string => `KV_${bucket}`;

/** What the buckets of one bus share. */
export interface BucketParts {
  readonly link: Link;
  readonly api: JetStreamApi;
  readonly publisher: Publisher;
  /** Keeps a watcher until it stops, so that closing the bus ends it. */
  track(watch: BucketWatch): void;
}

/** True for the marker that a deleted key leaves behind. */
export function isDeletion(message: Pick<OrderedMessage, 'headers'>): boolean {
  const operation = message.headers.get(OPERATION);
  return operation === 'DEL' || operation === 'PURGE';
}

export function keyOf(bucket: string, subject: string): string {
  return subject.slice(`$KV.${bucket}.`.length);
}

export function toEntry(bucket: string, message: OrderedMessage): BucketEntry {
  const { raw, seq } = message;
  return { key: keyOf(bucket, message.subject), value: raw, revision: seq, json: <T>() => parseBody(raw) as T };
}
