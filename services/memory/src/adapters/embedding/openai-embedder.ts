import { createLimit, type Limit } from './limit.js';
import { type Embedder, EmbedderUnavailable, type EmbeddingModel, type EmbeddingPurpose, EmbeddingRefused, normalised } from '../../domain/embedding/model.js';

export interface OpenAiEmbedderOptions {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly dimensions: number;
  /** Put before each text, for models that were trained so (`query: `, `passage: `). */
  readonly queryPrefix?: string;
  readonly documentPrefix?: string;
  readonly maxBatch: number;
  /** Characters of one text that the endpoint gets; the rest of a chunk is left out. */
  readonly maxChars?: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

/** Answers to these are about the request, not about the endpoint. */
const REFUSALS = new Set([400, 413, 422]);
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_CHARS = 32_000;

/** Any endpoint that speaks `POST /v1/embeddings`: hosted ones, Ollama, vLLM, TEI, LM Studio. */
export class OpenAiEmbedder implements Embedder {
  readonly model: EmbeddingModel;
  readonly maxBatch: number;
  readonly #limit: Limit;

  constructor(private readonly options: OpenAiEmbedderOptions) {
    const prefixes = [options.queryPrefix ?? '', options.documentPrefix ?? ''];
    // Prefixes change every vector, so a model with others is another model.
    const version = prefixes.every((prefix) => prefix === '') ? 'v1' : `v1~${encodeURIComponent(prefixes.join('|')).slice(0, 64)}`;
    this.model = {
      id: `openai-compat:${options.model}:${options.dimensions}:${version}`,
      provider: 'openai-compat',
      name: options.model,
      dimensions: options.dimensions,
      kind: 'semantic',
    };
    this.maxBatch = options.maxBatch;
    this.#limit = createLimit(options.concurrency);
  }

  embed(texts: readonly string[], purpose: EmbeddingPurpose, signal: AbortSignal): Promise<Float32Array[]> {
    if (texts.length > this.maxBatch) throw new RangeError(`${texts.length} texts are more than a batch of ${this.maxBatch}`);
    return this.#limit(() => this.#request(texts, purpose, signal), signal);
  }

  async #request(texts: readonly string[], purpose: EmbeddingPurpose, signal: AbortSignal): Promise<Float32Array[]> {
    const { baseUrl, apiKey, model, queryPrefix = '', documentPrefix = '', maxChars = MAX_CHARS, timeoutMs } = this.options;
    const prefix = purpose === 'query' ? queryPrefix : documentPrefix;
    const body = JSON.stringify({ model, input: texts.map((text) => (prefix + text).slice(0, maxChars)), encoding_format: 'float' });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    let response: Response;
    let answer: string;
    try {
      response = await fetch(`${baseUrl.replace(/\/+$/, '')}/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
        body,
        redirect: 'error',
        signal: limit,
      });
      answer = await readBounded(response);
    } catch (cause) {
      const reason = limit.aborted ? 'timeout' : 'unavailable';
      throw new EmbedderUnavailable(reason === 'timeout' ? 'the embedding endpoint did not answer in time' : 'the embedding endpoint cannot be reached', {
        cause,
        reason,
      });
    }
    if (REFUSALS.has(response.status)) throw new EmbeddingRefused(`the embedding endpoint answered ${response.status}: ${answer.slice(0, 200)}`);
    if (!response.ok) {
      const seconds = Number(response.headers.get('retry-after'));
      throw new EmbedderUnavailable(`the embedding endpoint answered ${response.status}`, seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {});
    }
    return this.#read(answer, texts.length);
  }

  /** Count, order, width and direction are checked: a wrong vector would be found for ever. */
  #read(answer: string, count: number): Float32Array[] {
    let data: unknown;
    try {
      data = (JSON.parse(answer) as { data?: unknown }).data;
    } catch (cause) {
      throw new EmbedderUnavailable('the embedding endpoint answered something other than JSON', { cause });
    }
    if (!Array.isArray(data) || data.length !== count)
      throw new EmbedderUnavailable(`the embedding endpoint answered ${Array.isArray(data) ? data.length : 'no'} vectors for ${count} texts`);
    const vectors = new Array<Float32Array>(count);
    for (const [position, entry] of data.entries()) {
      const { index = position, embedding } = entry as { index?: number; embedding?: unknown };
      if (!Array.isArray(embedding) || embedding.length !== this.options.dimensions) {
        throw new EmbedderUnavailable(
          `the embedding endpoint answered a vector of ${Array.isArray(embedding) ? embedding.length : 'no'} dimensions instead of ${this.options.dimensions}`,
        );
      }
      const vector = embedding.every((value) => typeof value === 'number') ? normalised(embedding as number[]) : undefined;
      if (vector === undefined) throw new EmbeddingRefused('the embedding endpoint answered a vector without a direction');
      if (!Number.isInteger(index) || index < 0 || index >= count || vectors[index] !== undefined)
        throw new EmbedderUnavailable('the embedding endpoint numbered its vectors wrongly');
      vectors[index] = vector;
    }
    return vectors;
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}
