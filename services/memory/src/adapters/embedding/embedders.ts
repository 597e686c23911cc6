import { CircuitBreaker, type Clock } from '@plexus/kernel';
import { Embedding } from '../../application/embedding.js';
import { localHashEmbedder } from '../../domain/embedding/local-hash.js';
import type { Embedder, EmbeddingModel } from '../../domain/embedding/model.js';
import { OpenAiEmbedder, type OpenAiEmbedderOptions } from './openai-embedder.js';

export type EmbedderSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'local-hash'; readonly dimensions: number }
  | ({ readonly kind: 'openai' } & OpenAiEmbedderOptions);

const BREAKER = { threshold: 5, resetMs: 15_000 };

/** Makes embedders of settings, one per model, each behind a breaker of its own. */
export class Embedders {
  readonly configured: Embedder | undefined;
  readonly #embeddings = new Map<string, Embedding>();

  constructor(
    private readonly settings: EmbedderSettings,
    private readonly clock: Clock,
  ) {
    this.configured = create(settings);
  }

  /**
   * The configured model, the local one (always to be had), or an earlier model of the same endpoint: its own words decide whether it still has it.
   */
  serve(model: EmbeddingModel): Embedding | undefined {
    const known = this.#embeddings.get(model.id);
    if (known !== undefined) return known;
    const embedder = this.#embedderOf(model);
    if (embedder === undefined || embedder.model.id !== model.id) return undefined;
    const embedding = new Embedding(embedder, new CircuitBreaker({ ...BREAKER, clock: this.clock }), this.clock);
    this.#embeddings.set(model.id, embedding);
    return embedding;
  }

  #embedderOf(model: EmbeddingModel): Embedder | undefined {
    if (this.configured?.model.id === model.id) return this.configured;
    if (model.provider === 'local-hash') return localHashEmbedder(model.dimensions);
    if (this.settings.kind !== 'openai') return undefined;
    return new OpenAiEmbedder({ ...this.settings, model: model.name, dimensions: model.dimensions });
  }
}

function create(settings: EmbedderSettings): Embedder | undefined {
  if (settings.kind === 'none') return undefined;
  return settings.kind === 'local-hash' ? localHashEmbedder(settings.dimensions) : new OpenAiEmbedder(settings);
}
