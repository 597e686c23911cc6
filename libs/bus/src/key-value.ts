import { type BucketDefinition, plexusError } from '@plexus/contracts';
import { PlexusError, ulid } from '@plexus/kernel';
import type { Bucket, BucketChange, BucketEntry, BucketValue, BucketWatch } from './bucket.js';
import { type BucketParts, bucketStream, isDeletion, OPERATION, toEntry } from './bucket-entry.js';
import { BucketWatcher, listKeys } from './bucket-watcher.js';
import { toJsonBytes } from './json-body.js';
import { toOrderedMessage } from './stored-message.js';

const DELETED = { [OPERATION]: 'DEL' };
const KEY = /^[-/=\w]+(\.[-/=\w]+)*$/;
const PATTERN = /^([-/=\w]+|\*)(\.([-/=\w]+|\*))*(\.>)?$/;
const NO_VALUE = new Uint8Array(0);

/**
 * A bucket over the multiplexer, in the format of every NATS client (stream `KV_<name>`, subjects `$KV.<name>.<key>`). Reads go to the
 * stream's leader, so that what was just written is read. Writes carry an id of their own: one whose receipt was lost is repeated safely.
 */
export class KeyValueBucket implements Bucket {
  constructor(
    private readonly parts: BucketParts,
    private readonly definition: BucketDefinition,
  ) {}

  get name(): string {
    return this.definition.name;
  }

  async get(key: string): Promise<BucketEntry | undefined> {
    const stream = bucketStream(this.name);
    const stored = await this.parts.api.message(stream, { last_by_subj: this.subject(key) });
    if (stored === undefined) return undefined;
    const message = toOrderedMessage(stream, stored);
    return isDeletion(message) ? undefined : toEntry(this.name, message);
  }

  async create(key: string, value: BucketValue): Promise<number | undefined> {
    const revision = await this.write(key, encodeValue(value), 0);
    if (revision !== undefined) return revision;
    // A deleted key still has its marker: take over from exactly that one.
    const last = await this.parts.api.message(bucketStream(this.name), { last_by_subj: this.subject(key) });
    if (last === undefined) return this.write(key, encodeValue(value), 0);
    return isDeletion(toOrderedMessage('', last)) ? this.write(key, encodeValue(value), last.seq) : undefined;
  }

  update(key: string, value: BucketValue, revision: number): Promise<number | undefined> {
    return this.write(key, encodeValue(value), revision);
  }

  async put(key: string, value: BucketValue): Promise<number> {
    return (await this.write(key, encodeValue(value))) as number;
  }

  async delete(key: string, revision?: number): Promise<boolean> {
    return (await this.write(key, NO_VALUE, revision, DELETED)) !== undefined;
  }

  watch(pattern: string, listener: (change: BucketChange) => void | Promise<void>): BucketWatch {
    const watcher = new BucketWatcher(this.parts, this.definition, this.filter(pattern), listener, (key) => this.get(key));
    this.parts.track(watcher);
    return watcher;
  }

  keys(pattern = '>'): Promise<string[]> {
    return listKeys(this.parts, this.name, this.filter(pattern));
  }

  /** Undefined when the key did not have the expected revision. */
  private async write(key: string, value: Uint8Array, expected?: number, headers?: Record<string, string>): Promise<number | undefined> {
    try {
      const options = { headers, expectedLastSubjectSeq: expected, msgId: ulid() };
      return (await this.parts.publisher.publishRaw(this.subject(key), value, options)).seq;
    } catch (error) {
      if (expected !== undefined && PlexusError.isPlexusError(error) && error.code === 'CONFLICT') return undefined;
      throw error;
    }
  }

  private subject(key: string): string {
    if (!KEY.test(key)) throw plexusError('INVALID_REQUEST', { message: 'That is not a bucket key.', details: { bucket: this.name, key } });
    return `$KV.${this.name}.${key}`;
  }

  private filter(pattern: string): string {
    if (pattern !== '>' && !PATTERN.test(pattern)) {
      throw plexusError('INVALID_REQUEST', { message: 'That is not a pattern of bucket keys.', details: { bucket: this.name, pattern } });
    }
    return `$KV.${this.name}.${pattern}`;
  }
}

function encodeValue(value: BucketValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? Buffer.from(value) : toJsonBytes(value);
}
