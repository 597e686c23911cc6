import { type CircuitBreaker, type Clock, AbortedError } from '@plexus/kernel';
import { type Embedder, type EmbeddingModel, EmbedderUnavailable, EmbeddingRefused } from '../domain/embedding/model.js';

/** How long a search waits for the vector of its query. */
export const QUERY_TIMEOUT_MS = 300;
const CACHED_QUERIES = 2_000;

export type Embedded = { readonly vector: Float32Array } | { readonly refused: string };

/** One model behind its breaker, with a small cache of queries. */
export class Embedding {
  readonly #queries = new Map<string, Float32Array>();

  constructor(
    private readonly embedder: Embedder,
    private readonly breaker: CircuitBreaker,
    private readonly clock: Clock,
    private readonly queryTimeoutMs = QUERY_TIMEOUT_MS,
  ) {}

  get model(): EmbeddingModel {
    return this.embedder.model;
  }

  get maxBatch(): number {
    return this.embedder.maxBatch;
  }

  /**
   * Vector of a query, or why there is none in time. `key` names tenant and text: what one tenant asks never speeds up another's search.
   */
  async ofQuery(text: string, key: string): Promise<Float32Array | EmbedderUnavailable['reason'] | 'refused'> {
    const cached = this.#queries.get(key);
    if (cached !== undefined) {
      this.#queries.delete(key);
      this.#queries.set(key, cached);
      return cached;
    }
    if (!this.breaker.canAttempt()) return 'breaker_open';
    const patience = new AbortController();
    const timer = this.clock.setTimeout(() => patience.abort(), this.queryTimeoutMs);
    try {
      const [vector] = await untilAborted(this.embedder.embed([text], 'query', patience.signal), patience.signal);
      this.breaker.success();
      if (vector === undefined) return 'unavailable';
      if (this.#queries.size >= CACHED_QUERIES) this.#queries.delete(this.#queries.keys().next().value as string);
      this.#queries.set(key, vector);
      return vector;
    } catch (error) {
      if (error instanceof EmbeddingRefused) {
        this.breaker.success();
        return 'refused';
      }
      this.breaker.failure();
      return patience.signal.aborted ? 'timeout' : error instanceof EmbedderUnavailable ? error.reason : 'unavailable';
    } finally {
      timer.cancel();
    }
  }

  /**
   * Vectors of documents, one entry each. A text that the endpoint refuses is found by halving and does not hold up the others. Rejects with
   * EmbedderUnavailable when the endpoint itself fails; what was made until then is handed to `onMade` and need not be made again.
   */
  async ofDocuments(
    texts: readonly string[],
    signal: AbortSignal,
    onMade: (index: number, vector: Float32Array) => void = () => undefined,
  ): Promise<Embedded[]> {
    const results = new Array<Embedded>(texts.length);
    for (let from = 0; from < texts.length; from += this.maxBatch) {
      const to = Math.min(texts.length, from + this.maxBatch);
      await this.#batch(texts, from, to, signal, (index, embedded) => {
        results[index] = embedded;
        if ('vector' in embedded) onMade(index, embedded.vector);
      });
    }
    return results;
  }

  async #batch(texts: readonly string[], from: number, to: number, signal: AbortSignal, put: (index: number, embedded: Embedded) => void): Promise<void> {
    if (signal.aborted) throw new AbortedError('stopping');
    if (!this.breaker.canAttempt())
      throw new EmbedderUnavailable('the embedding endpoint failed repeatedly and is left alone for a moment', { reason: 'breaker_open' });
    try {
      const vectors = await this.embedder.embed(texts.slice(from, to), 'document', signal);
      this.breaker.success();
      for (const [offset, vector] of vectors.entries()) put(from + offset, { vector });
    } catch (error) {
      if (!(error instanceof EmbeddingRefused)) {
        this.breaker.failure();
        throw error;
      }
      this.breaker.success();
      if (to - from === 1) return put(from, { refused: error.message });
      const middle = (from + to) >> 1;
      await this.#batch(texts, from, middle, signal, put);
      await this.#batch(texts, middle, to, signal, put);
    }
  }
}

/** An endpoint that ignores the signal is not waited for. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new AbortedError('not waited for any longer')), { once: true });
    work.then(resolve, reject);
  });
}
