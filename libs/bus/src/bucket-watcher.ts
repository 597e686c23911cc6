import { DeliverPolicy } from '@nats-io/jetstream';
import type { BucketDefinition } from '@plexus/contracts';
import { systemClock, timeout } from '@plexus/kernel';
import type { BucketChange, BucketEntry, BucketWatch } from './bucket.js';
import { type BucketParts, bucketStream, isDeletion, keyOf, toEntry } from './bucket-entry.js';
import type { OrderedMessage } from './ordered.js';
import { OrderedReader, type StartAt } from './ordered-reader.js';

const PREFETCH = 256;
const LIST_TIMEOUT_MS = 10_000;
/** A listing that nothing comes for any more, and one that does not end although messages keep coming, is completed by asking. */
const LISTING_LOOK_MS = 250;
const QUIET_MS = 300;
const LONG_LISTING_MS = 1_000;
const FROM_LAST: StartAt = { deliver_policy: DeliverPolicy.LastPerSubject };

/** Known state of one key: which revision the listener has, and when it came. */
interface Known {
  readonly revision: number;
  readonly seenAt: number;
}

/**
 * Follows a bucket. Every new consumer begins with a listing of what exists; keys that were known and are not listed any more are
 * reported as deleted, so that neither an expiry nor an outage hides a change for good. In buckets with a TTL, entries that are not
 * renewed are looked up when they are due: the server says nothing when one expires.
 *
 * A listing is complete when the server says that nothing is pending. A key that is overwritten between the making of the consumer and its first
 * delivery makes some servers (2.9) count one message too many for ever; then the keys that exist are asked for.
 */
export class BucketWatcher implements BucketWatch {
  private readonly known = new Map<string, Known>();
  /** Keys of the listing that is going on; undefined once it is complete. */
  private listed: Set<string> | undefined;
  private listingSince = 0;
  private lastHeard = 0;
  private listing: NodeJS.Timeout | undefined;
  private readonly reader: OrderedReader;
  private readonly expiry: NodeJS.Timeout | undefined;
  private tail: Promise<void> = Promise.resolve();
  private stopped = false;
  private markReady: () => void = () => {};
  readonly ready: Promise<void>;

  constructor(
    private readonly parts: BucketParts,
    private readonly definition: BucketDefinition,
    private readonly filter: string,
    private readonly listener: (change: BucketChange) => void | Promise<void>,
    private readonly get: (key: string) => Promise<BucketEntry | undefined>,
  ) {
    this.ready = new Promise((resolve) => {
      this.markReady = resolve;
    });
    this.reader = new OrderedReader(parts.link, parts.api, {
      stream: bucketStream(definition.name),
      filter,
      prefetch: PREFETCH,
      startAt: () => FROM_LAST,
      onCreated: (pending) => {
        this.listed = new Set();
        this.listingSince = performance.now();
        this.lastHeard = this.listingSince;
        if (pending > 0) this.watchListing();
        else void this.inTurn(() => this.completeListing());
      },
      onMessage: (message) => this.inTurn(() => this.onMessage(message)),
      onFailed: (error) => parts.link.log.error({ err: error, bucket: definition.name }, 'a bucket is not watched any more'),
    });
    if (definition.ttlMs > 0) {
      this.expiry = setInterval(() => void this.inTurn(() => this.dropExpired()), Math.max(250, definition.ttlMs / 4));
      this.expiry.unref();
    }
    this.reader.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.expiry);
    clearInterval(this.listing);
    await this.reader.stop();
    this.markReady();
  }

  /** Listing, changes and expiries reach the listener one after the other. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    this.tail = this.tail.then(async () => {
      if (!this.stopped) await step();
    });
    return this.tail;
  }

  private async onMessage(message: OrderedMessage): Promise<void> {
    this.lastHeard = performance.now();
    const key = keyOf(this.definition.name, message.subject);
    const known = this.known.get(key);
    if (isDeletion(message)) {
      if (known !== undefined) await this.report({ kind: 'delete', key, revision: message.seq });
    } else {
      this.listed?.add(key);
      // A repeated listing brings again what the listener already has.
      if (known === undefined || known.revision < message.seq) await this.report({ kind: 'put', key, entry: toEntry(this.definition.name, message) });
    }
    if (this.listed && message.pending === 0) await this.completeListing();
  }

  private watchListing(): void {
    clearInterval(this.listing);
    this.listing = setInterval(() => {
      const now = performance.now();
      if (!this.parts.link.isConnected || (now - this.lastHeard < QUIET_MS && now - this.listingSince < LONG_LISTING_MS)) return;
      void this.inTurn(() => this.finishListing());
    }, LISTING_LOOK_MS);
    this.listing.unref();
  }

  /** Completes a listing from what exists now. What is still on its way brings nothing new when it comes. */
  private async finishListing(): Promise<void> {
    const { listed } = this;
    if (listed === undefined) return;
    try {
      const subjects = await this.parts.api.subjects(bucketStream(this.definition.name), this.filter);
      const exist = new Set(subjects.map((subject) => keyOf(this.definition.name, subject)));
      for (const key of exist) {
        if (listed.has(key) || this.stopped) continue;
        const entry = await this.get(key);
        if (entry === undefined) continue;
        listed.add(key);
        if ((this.known.get(key)?.revision ?? 0) < entry.revision) await this.report({ kind: 'put', key, entry });
      }
    } catch (error) {
      this.parts.link.log.debug({ err: error, bucket: this.definition.name }, 'a listing could not be completed yet; tried again');
      return;
    }
    if (this.listed === listed) await this.completeListing();
  }

  private async completeListing(): Promise<void> {
    const { listed } = this;
    if (listed === undefined) return;
    this.listed = undefined;
    clearInterval(this.listing);
    for (const key of [...this.known.keys()]) {
      if (!listed.has(key)) await this.report({ kind: 'delete', key });
    }
    this.markReady();
  }

  private async dropExpired(): Promise<void> {
    if (!this.parts.link.isConnected) return;
    const dueBefore = performance.now() - this.definition.ttlMs;
    for (const [key, known] of [...this.known]) {
      if (known.seenAt > dueBefore || this.stopped) continue;
      try {
        const entry = await this.get(key);
        if (entry === undefined) await this.report({ kind: 'delete', key });
        else this.known.set(key, { revision: known.revision, seenAt: performance.now() });
      } catch (error) {
        // Looked up again at the next turn.
        this.parts.link.log.debug({ err: error, bucket: this.definition.name }, 'an entry that may have expired could not be looked up');
        return;
      }
    }
  }

  /** A listener that throws misses one change; the others still have to reach it. */
  private async report(change: BucketChange): Promise<void> {
    if (change.kind === 'put') this.known.set(change.key, { revision: change.entry.revision, seenAt: performance.now() });
    else this.known.delete(change.key);
    try {
      await this.listener(change);
    } catch (error) {
      this.parts.link.log.error({ err: error, bucket: this.definition.name, key: change.key }, 'a bucket listener failed');
    }
  }
}

/** Keys that exist now. Rejects with TIMEOUT when the bucket cannot be read. */
export async function listKeys(parts: BucketParts, bucket: string, filter: string): Promise<string[]> {
  const found = new Set<string>();
  let reader: OrderedReader | undefined;
  let lastHeard = performance.now();
  const startedAt = lastHeard;
  const complete = new Promise<void>((resolve, reject) => {
    reader = new OrderedReader(parts.link, parts.api, {
      stream: bucketStream(bucket),
      filter,
      prefetch: PREFETCH,
      headersOnly: true,
      startAt: () => FROM_LAST,
      onCreated: (pending) => {
        found.clear();
        if (pending === 0) resolve();
      },
      onMessage: (message) => {
        lastHeard = performance.now();
        const key = keyOf(bucket, message.subject);
        if (isDeletion(message)) found.delete(key);
        else found.add(key);
        if (message.pending === 0) resolve();
      },
      onFailed: reject,
    });
    reader.start();
  });
  const over = new AbortController();
  try {
    await timeout(Promise.race([complete, whenQuiet(() => lastHeard, startedAt, over.signal)]), LIST_TIMEOUT_MS, { what: `listing of ${bucket}` });
    return [...found];
  } finally {
    over.abort();
    await reader?.stop();
  }
}

/** Resolves when a listing has been quiet for a while, or has been going on for long: what is pending then is a miscount of the server. */
async function whenQuiet(lastHeard: () => number, startedAt: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(LISTING_LOOK_MS, signal).catch(() => undefined); // aborted: the listing is complete
    if (signal.aborted) return;
    const now = performance.now();
    if (now - lastHeard() >= LONG_LISTING_MS || (now - startedAt >= LONG_LISTING_MS && now - lastHeard() >= QUIET_MS)) return;
  }
}
