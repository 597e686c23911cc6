/** What a vector is made by. Vectors of different models are never compared, so everything that changes them is part of the id. */
export interface EmbeddingModel {
  /** `<provider>:<name>:<dimensions>:<version>`, for example `openai-compat:bge-m3:1024:v1`. */
  readonly id: string;
  readonly provider: 'openai-compat' | 'local-hash';
  readonly name: string;
  readonly dimensions: number;
  /** `lexical-hash` compares spellings, not meanings, and every answer that used it says so. */
  readonly kind: 'semantic' | 'lexical-hash';
}

export type EmbeddingPurpose = 'document' | 'query';

/** Makes vectors of length 1. All texts of one call succeed, or it rejects with one of the two errors below. */
export interface Embedder {
  readonly model: EmbeddingModel;
  /** Most texts of one call. */
  readonly maxBatch: number;
  embed(texts: readonly string[], purpose: EmbeddingPurpose, signal: AbortSignal): Promise<Float32Array[]>;
}

/** The endpoint fails whatever it is asked: away, overloaded, wrong key, wrong model. Trying later may help, another text will not. */
export class EmbedderUnavailable extends Error {
  override readonly name = 'EmbedderUnavailable';
  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number; readonly reason?: 'unavailable' | 'timeout' | 'breaker_open' } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.reason = options.reason ?? 'unavailable';
  }
  readonly retryAfterMs: number | undefined;
  readonly reason: 'unavailable' | 'timeout' | 'breaker_open';
}

/** The endpoint refuses what it was given: one of the texts is at fault. */
export class EmbeddingRefused extends Error {
  override readonly name = 'EmbeddingRefused';
}

/** Cosine of two vectors of length 1. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] as number) * (b[index] as number);
  return sum;
}

/** The vector with length 1; undefined when it has no direction (zero, or not finite). */
export function normalised(values: ArrayLike<number>): Float32Array | undefined {
  let squares = 0;
  for (let index = 0; index < values.length; index += 1) squares += (values[index] as number) ** 2;
  const length = Math.sqrt(squares);
  if (!Number.isFinite(length) || length < 1e-12) return undefined;
  return Float32Array.from(values, (value) => value / length);
}
