import { AbortedError, type Clock } from '@plexus/kernel';
import { EmbedderUnavailable } from '../domain/embedding/model.js';
import type { EmbedMemories, EmbedOutcome } from './embed-memories.js';
import type { EmbeddingModels } from './embedding-models.js';
import type { EmbeddingStore, MemoryRetention, ModelRecord } from './ports.js';

/** A job is given this long before the sweeper makes the vector itself. */
const GRACE_MS = 60_000;
const BATCH = 64;
const KEPT_IN_CACHE = 50_000;

/** Only one replica at a time does this. */
export interface SingleRunner {
  /** Runs `fn` if nobody else does; undefined: somebody does. */
  exclusively<T>(fn: () => Promise<T>): Promise<T | undefined>;
}

/**
 * Makes what is missing, whatever became of its job: the table says what lacks a vector, so a stream that lost its disk costs delay and no
 * data. The same loop fills a model that is being built, without waiting for the grace.
 */
export class KeepEmbeddings {
  constructor(
    private readonly models: EmbeddingModels,
    private readonly store: EmbeddingStore,
    private readonly embed: EmbedMemories,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly runner: SingleRunner,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
    private readonly everyMs = 60_000,
    /** Pause between two batches of a model that is being built: reading goes first. */
    private readonly pauseMs = 20,
    /** How many memories wait for a vector, told in each round of this replica; 0 while another one does it. */
    private readonly onWaiting: (memories: number) => void = () => undefined,
  ) {}

  /** One round; returns how many memories got vectors. */
  async execute(signal: AbortSignal): Promise<number> {
    try {
      await this.models.maintain(signal);
    } finally {
      // Also when that fails: an endpoint that is away is what this number is looked at for.
      this.onWaiting(await this.#waiting());
    }
    let made = 0;
    for (const record of await this.models.wanted()) {
      if (!signal.aborted) made += await this.#fill(record, signal);
    }
    // What was built in this round answers from the next search on.
    await this.models.maintain(signal);
    for (const tenant of await this.retention.tenants()) await this.store.pruneCache(tenant, KEPT_IN_CACHE);
    return made;
  }

  /** Runs rounds until aborted; resolves then. A failed round is reported and the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const round = this.runner.exclusively(async () => {
        await this.execute(signal);
        return true;
      });
      const mine = await round.catch((error: unknown) => {
        this.onError(error);
        return true;
      });
      if (mine === undefined) this.onWaiting(0);
      await this.clock.sleep(this.everyMs, signal).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) throw error;
      });
    }
  }

  /** Of the model that answers; while there is none, of those that are being built. */
  async #waiting(): Promise<number> {
    const wanted = await this.models.wanted();
    const active = wanted.filter(({ state }) => state === 'active');
    let waiting = 0;
    for (const tenant of await this.retention.tenants()) {
      for (const { table, model } of active.length > 0 ? active : wanted) waiting += (await this.store.pending(tenant, table, model.id)).pending;
    }
    return waiting;
  }

  async #fill(record: ModelRecord, signal: AbortSignal): Promise<number> {
    const serving = this.models.serving(record);
    if (typeof serving === 'string') return 0;
    const before = new Date(this.clock.now() - (record.state === 'building' ? 0 : GRACE_MS) + 1);
    let made = 0;
    for (const tenant of await this.retention.tenants()) {
      for (let after = ''; !signal.aborted; ) {
        const jobs = await this.store.missing(tenant, record.table, record.model.id, before, { after, limit: BATCH });
        const last = jobs.at(-1);
        if (last === undefined) break;
        const outcomes = await this.embed.execute(jobs, record, serving.embedding, signal).catch((error: unknown): EmbedOutcome[] => {
          if (error instanceof AbortedError && signal.aborted) return []; // stopping is no failure; the next round goes on here
          throw error;
        });
        made += outcomes.filter(({ kind }) => kind === 'stored').length;
        after = last.memoryId;
        if (jobs.length < BATCH) break;
        await this.clock.sleep(this.pauseMs, signal).catch(() => undefined); // aborted: the loop's condition ends it
      }
    }
    return made;
  }
}

/** True for what another round will find mended, or not: nothing that anybody could do about it here. */
export function isEndpointAway(error: unknown): boolean {
  return error instanceof EmbedderUnavailable;
}
