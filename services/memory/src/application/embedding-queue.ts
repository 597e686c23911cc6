import { type Clock, ClosedError, type Timer } from '@plexus/kernel';
import type { EmbedMemories, EmbedOutcome } from './embed-memories.js';
import type { EmbeddingModels } from './embedding-models.js';
import type { EmbeddingJob } from './ports.js';

const BATCH = 64;
const LINGER_MS = 50;

interface Waiting {
  readonly job: EmbeddingJob;
  resolve(outcome: EmbedOutcome): void;
  reject(error: unknown): void;
}

/** Collects single jobs into requests of up to 64 texts, for at most 50 ms: endpoints charge by request, and answer many almost as fast as one. */
export class EmbeddingQueue {
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #timers = new Map<string, Timer>();
  readonly #stopping = new AbortController();

  constructor(
    private readonly models: EmbeddingModels,
    private readonly embed: EmbedMemories,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the job is done, whatever it came to. Rejects with EmbedderUnavailable while the endpoint fails. */
  add(modelId: string, job: EmbeddingJob): Promise<EmbedOutcome> {
    if (this.#stopping.signal.aborted) return Promise.reject(new ClosedError('stopping'));
    return new Promise((resolve, reject) => {
      const batch = this.#waiting.get(modelId) ?? [];
      batch.push({ job, resolve, reject });
      this.#waiting.set(modelId, batch);
      if (batch.length >= BATCH) this.#flush(modelId);
      else if (batch.length === 1)
        this.#timers.set(
          modelId,
          this.clock.setTimeout(() => this.#flush(modelId), LINGER_MS),
        );
    });
  }

  /** Gives up what is running; its jobs come again. */
  stop(): void {
    this.#stopping.abort();
    for (const modelId of [...this.#waiting.keys()]) this.#flush(modelId);
  }

  #flush(modelId: string): void {
    this.#timers.get(modelId)?.cancel();
    this.#timers.delete(modelId);
    const batch = this.#waiting.get(modelId) ?? [];
    this.#waiting.delete(modelId);
    if (batch.length > 0) void this.#run(modelId, batch);
  }

  async #run(modelId: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const serving = await this.models.byId(modelId);
      // A model that is gone, or that this process cannot serve: the sweeper of one that can makes up for it.
      const outcomes =
        serving === undefined
          ? batch.map((): EmbedOutcome => ({ kind: 'obsolete' }))
          : await this.embed.execute(
              batch.map(({ job }) => job),
              serving.record,
              serving.embedding,
              this.#stopping.signal,
            );
      for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] as EmbedOutcome);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
