import { fullJitter, systemClock } from '@plexus/kernel';
import { counter, gauge } from '@plexus/telemetry';
import type { Database, DatabaseSession } from './database.js';
import { type DatabaseLog, silentLog } from './database-log.js';
import { countPending, markPublished, type OutboxRow, type PublishRaw, prunePublished, publishBatch, readPending } from './outbox-batch.js';
import { OutboxNudge } from './outbox-nudge.js';
import { acquireSessionLock, type SessionLock } from './session-lock.js';
import { SubjectBackoff } from './subject-backoff.js';
import { WakeUp } from './wake-up.js';

const LOST_CONNECTION_BACKOFF = { baseMs: 100, capMs: 2_000 };
const FAILING_SUBJECT_BACKOFF = { baseMs: 200, capMs: 3_000 };
const MAX_BLOCKED_SUBJECTS = 1_000;
const HOUSEKEEPING_MS = 15_000;
const PRUNE_LIMIT = 1_000;

const publishedRows = counter('outboxPublished');
const pendingRows = gauge('outboxPending');

export interface OutboxRelayOptions {
  readonly database: Database;
  readonly publish: PublishRaw;
  readonly log?: DatabaseLog;
  /** Rows per round and most messages in flight. Default 128. */
  readonly batch?: number;
  /** How long to rest when nothing is pending and nobody kicks. Default 500 ms. */
  readonly idleMs?: number;
  /** Time limit of one publish. Default 5,000 ms. */
  readonly publishTimeoutMs?: number;
  /** How long published rows are kept, and so how long `appendOutbox` recognises a repeated message id. Default 10 minutes. */
  readonly retainMs?: number;
}

/**
 * Publishes what services have written into their outbox, in row order per subject. Any number of relays may run; an advisory lock lets one
 * work, and all its reading and marking goes through the connection that holds the lock: losing one loses the other. A relay that dies
 * between publish and mark makes its successor publish again under the same message id, which the stream drops.
 */
export class OutboxRelay {
  readonly #database: Database;
  readonly #publish: PublishRaw;
  readonly #log: DatabaseLog;
  readonly #batch: number;
  readonly #idleMs: number;
  readonly #publishTimeoutMs: number;
  readonly #retainMs: number;
  readonly #stop = new AbortController();
  readonly #wakeUp = new WakeUp();
  readonly #backoff = new SubjectBackoff(FAILING_SUBJECT_BACKOFF);
  readonly #nudge: OutboxNudge;
  #running: Promise<void> | undefined;
  #leading = false;
  #outage = false;
  #nextHousekeeping = 0;

  constructor(options: OutboxRelayOptions) {
    this.#database = options.database;
    this.#publish = options.publish;
    this.#log = options.log ?? silentLog;
    this.#batch = options.batch ?? 128;
    this.#idleMs = options.idleMs ?? 500;
    this.#publishTimeoutMs = options.publishTimeoutMs ?? 5_000;
    this.#retainMs = options.retainMs ?? 600_000;
    this.#nudge = new OutboxNudge(this.#database);
  }

  /** True while this relay is the one that publishes. */
  get leading(): boolean {
    return this.#leading;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Says that something was committed. Cheap, coalesced, and only a hint: without it the row leaves after `idleMs`. */
  kick(): void {
    if (this.#leading) this.#wakeUp.ring();
    else this.#nudge.send();
  }

  /** Ends after the round in progress; what is left stays in the table for the next relay. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#nudge.settled();
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        const lock = await acquireSessionLock(this.#database, `plexus-outbox:${this.#database.schema}`, { signal: this.#stop.signal });
        if (lock === undefined) return;
        failures = 0;
        await this.#lead(lock);
      } catch (error) {
        failures += 1;
        if (failures === 1) this.#log.warn({ err: error, schema: this.#database.schema }, 'the outbox relay lost its database connection; it tries again');
        await this.#rest(fullJitter(failures, LOST_CONNECTION_BACKOFF));
      }
    }
  }

  async #lead({ session, release }: SessionLock): Promise<void> {
    try {
      // That a row was published is worth no waiting for the disk, and none of others behind it: a server that dies and forgets it is sent the row again.
      if (this.#database.kind === 'postgres') await session.script('SET synchronous_commit = off');
      await session.listen(this.#nudge.channel, () => this.#wakeUp.ring());
      this.#leading = true;
      while (!this.#stop.signal.aborted && !session.lost.aborted) {
        const idle = await this.#round(session);
        if (idle) await this.#wakeUp.wait(this.#idleMs, AbortSignal.any([this.#stop.signal, session.lost]));
      }
    } finally {
      this.#leading = false;
      await release();
    }
  }

  /** One batch. True when there is nothing to do right now. */
  async #round(session: DatabaseSession): Promise<boolean> {
    await this.#keepHouse(session);
    const skip = this.#backoff.waiting(systemClock.now());
    if (skip.length >= MAX_BLOCKED_SUBJECTS) return true;
    const rows = await readPending(session, this.#batch, skip);
    if (rows.length === 0) return true;
    const { published, duplicates, failures } = await publishBatch(rows, this.#publish, this.#publishTimeoutMs, () => session.lost.aborted);
    await markPublished(session, published);
    count(published.length - duplicates, duplicates, failures.size);
    this.#noteOutcome(rows, published.length, failures);
    return published.length === 0 || rows.length < this.#batch;
  }

  #noteOutcome(rows: readonly OutboxRow[], published: number, failures: ReadonlyMap<string, unknown>): void {
    const now = systemClock.now();
    const failingBefore = this.#backoff.size;
    for (const { subject } of rows) if (!failures.has(subject)) this.#backoff.succeed(subject);
    const firstFailures = [...failures].filter(([subject]) => this.#backoff.fail(subject, now) === 1);
    const [subject, error] = firstFailures[0] ?? [];
    if (subject !== undefined) {
      this.#log.warn({ err: error, subject, subjects: failures.size, schema: this.#database.schema }, 'outbox messages cannot be published; they are retried');
    }
    if (failingBefore > 0 && this.#backoff.size === 0) this.#log.info({ schema: this.#database.schema }, 'all outbox messages are published again');
    // When a round with nothing but failures is followed by a success the broker was away, and nobody else need wait any longer.
    if (published > 0 && this.#outage) this.#backoff.forgiveAll();
    this.#outage = published === 0 && failures.size > 0;
  }

  async #keepHouse(session: DatabaseSession): Promise<void> {
    const now = systemClock.monotonic();
    if (now < this.#nextHousekeeping) return;
    this.#nextHousekeeping = now + HOUSEKEEPING_MS;
    const pruned = await prunePublished(session, this.#retainMs, PRUNE_LIMIT);
    if (pruned === PRUNE_LIMIT) this.#nextHousekeeping = now;
    pendingRows.record(await countPending(session));
  }

  async #rest(ms: number): Promise<void> {
    await this.#wakeUp.wait(ms, this.#stop.signal);
  }
}

function count(stored: number, duplicates: number, failed: number): void {
  if (stored > 0) publishedRows.add(stored, { outcome: 'stored' });
  if (duplicates > 0) publishedRows.add(duplicates, { outcome: 'duplicate' });
  if (failed > 0) publishedRows.add(failed, { outcome: 'error' });
}
