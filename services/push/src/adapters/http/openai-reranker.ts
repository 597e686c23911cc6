import { CircuitBreaker, type Clock } from '@plexus/kernel';
import { z } from 'zod';
import type { Reranker } from '../../application/triggers/match-meaning.js';
import { askForScores, readScores } from '../../domain/triggers/judgement.js';

export interface RerankerSettings {
  /** Up to and without `/chat/completions`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string;
  readonly timeoutMs: number;
  readonly maxInterests: number;
  readonly minScore: number;
}

const MAX_IN_FLIGHT = 4;
const MAX_REMEMBERED = 500;
const Answer = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1) });

/**
 * Judges by any endpoint that speaks `POST /chat/completions`. Behind a breaker, few questions at once, known questions from memory, and every
 * answer checked: one valid score for each interest, or none counts.
 */
export class OpenAiReranker implements Reranker {
  readonly #breaker: CircuitBreaker;
  readonly #known = new Map<string, readonly number[]>();
  #inFlight = 0;

  constructor(
    private readonly settings: RerankerSettings,
    private readonly clock: Clock,
    /** Refuses addresses that tenants may not name, and bounds answers. */
    private readonly request: (url: string, init: RequestInit) => Promise<Response>,
  ) {
    this.#breaker = new CircuitBreaker({ threshold: 3, resetMs: 30_000, clock });
  }

  get maxInterests(): number {
    return this.settings.maxInterests;
  }

  get minScore(): number {
    return this.settings.minScore;
  }

  async judge(event: string, interests: readonly string[], signal: AbortSignal): Promise<readonly number[]> {
    const question = JSON.stringify(askForScores(event, interests));
    const known = this.#known.get(question);
    if (known !== undefined) return known;
    if (this.#inFlight >= MAX_IN_FLIGHT) throw new Error(`${MAX_IN_FLIGHT} questions are with the model already`);
    this.#inFlight += 1;
    try {
      const scores = await this.#breaker.run(() => this.#ask(question, interests.length, signal));
      if (this.#known.size >= MAX_REMEMBERED) this.#known.delete(this.#known.keys().next().value as string);
      this.#known.set(question, scores);
      return scores;
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #ask(question: string, count: number, signal: AbortSignal): Promise<readonly number[]> {
    const { baseUrl, model, apiKey, timeoutMs } = this.settings;
    const late = new AbortController();
    const timer = this.clock.setTimeout(() => late.abort(), timeoutMs);
    try {
      const response = await this.request(`${baseUrl.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
        body: `{"model":${JSON.stringify(model)},"temperature":0,"stream":false,"response_format":{"type":"json_object"},"messages":${question}}`,
        redirect: 'error',
        signal: AbortSignal.any([signal, late.signal]),
      });
      if (!response.ok) throw new Error(`the judging model answered ${response.status}`);
      const text = await response.text();
      const scores = readScores(Answer.parse(JSON.parse(text)).choices[0]?.message.content ?? '', count);
      if (scores === undefined) throw new Error('the judging model gave no valid score for each interest');
      return scores;
    } finally {
      timer.cancel();
    }
  }
}
