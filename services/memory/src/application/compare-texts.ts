import { createHash } from 'node:crypto';
import { type Clock, AbortedError } from '@plexus/kernel';
import { cosine, EmbedderUnavailable } from '../domain/embedding/model.js';
import type { Embedding } from './embedding.js';

/** Vectors of texts that come again and again: what people are interested in. About 8 MiB at 1,024 dimensions. */
const CACHED_TEXTS = 2_000;
/** Below the time limit of the call, so that its caller hears an answer and not a timeout. */
const LONGEST_MS = 8_000;

export interface NamedText {
  readonly id: string;
  readonly text: string;
}

export type Comparison =
  | { readonly available: false }
  /** Texts that the endpoint refuses have no score. */
  | { readonly available: true; readonly model: string; readonly scores: { readonly id: string; readonly score: number }[] };

/**
 * Cosines of one text with others by the configured model, through its breaker. An embedder that compares spellings is none here: its
 * numbers look like those of a model and say nothing about meaning, so that a threshold chosen for meanings would let chance decide.
 */
export class CompareTexts {
  readonly #vectors = new Map<string, Float32Array>();

  constructor(
    private readonly embedding: () => Embedding | undefined,
    private readonly clock: Clock,
  ) {}

  async execute(tenant: string, text: string, others: readonly NamedText[], signal: AbortSignal): Promise<Comparison> {
    const embedding = this.embedding();
    if (embedding === undefined || embedding.model.kind === 'lexical-hash') return { available: false };
    const vectors = await this.#vectorsOf(embedding, tenant, [...new Set([text, ...others.map((other) => other.text)])], signal);
    if (vectors === undefined) return { available: false };
    const own = vectors.get(text);
    const scores = others.flatMap((other) => {
      const vector = vectors.get(other.text);
      return own === undefined || vector === undefined ? [] : [{ id: other.id, score: cosine(own, vector) }];
    });
    return { available: true, model: embedding.model.id, scores };
  }

  /** Undefined: the endpoint is away or too slow. What was made until then stays known. */
  async #vectorsOf(embedding: Embedding, tenant: string, texts: readonly string[], signal: AbortSignal): Promise<Map<string, Float32Array> | undefined> {
    const vectors = new Map<string, Float32Array>();
    const missing = texts.filter((text) => {
      const known = this.#recall(keyOf(tenant, embedding.model.id, text));
      if (known !== undefined) vectors.set(text, known);
      return known === undefined;
    });
    if (missing.length === 0) return vectors;
    const patience = new AbortController();
    const timer = this.clock.setTimeout(() => patience.abort(), LONGEST_MS);
    try {
      await embedding.ofDocuments(missing, AbortSignal.any([signal, patience.signal]), (index, vector) => {
        const text = missing[index] as string;
        vectors.set(text, vector);
        this.#keep(keyOf(tenant, embedding.model.id, text), vector);
      });
      return vectors;
    } catch (error) {
      if (error instanceof EmbedderUnavailable || error instanceof AbortedError) return undefined;
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #recall(key: string): Float32Array | undefined {
    const known = this.#vectors.get(key);
    if (known === undefined) return undefined;
    this.#vectors.delete(key);
    this.#vectors.set(key, known);
    return known;
  }

  #keep(key: string, vector: Float32Array): void {
    if (this.#vectors.size >= CACHED_TEXTS) this.#vectors.delete(this.#vectors.keys().next().value as string);
    this.#vectors.set(key, vector);
  }
}

/** The tenant is part of it: what one asks never speeds up another's question. */
function keyOf(tenant: string, model: string, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, model, text]))
    .digest('base64url');
}
