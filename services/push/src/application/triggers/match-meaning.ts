import { AbortedError, CircuitBreaker, type Clock } from '@plexus/kernel';
import type { LogEvent } from '../../domain/engine/types.js';
import { type Interest, type MeaningAnswer, type MeaningHit, type MeaningMatcher, SEMANTIC_THRESHOLD } from '../meaning.js';

/** How alike texts are; rejects when nobody can be asked. */
export interface Similarity {
  compare(
    tenant: string,
    text: string,
    others: readonly { readonly id: string; readonly text: string }[],
    signal: AbortSignal,
  ): Promise<{ readonly available: boolean; readonly scores: readonly { readonly id: string; readonly score: number }[] }>;
}

/** A language model that judges interests. Rejects when it cannot, or says nonsense. */
export interface Reranker {
  readonly maxInterests: number;
  readonly minScore: number;
  /** One score, 0..1, per interest. */
  judge(event: string, interests: readonly string[], signal: AbortSignal): Promise<readonly number[]>;
}

export interface MatchMeaningOptions {
  readonly similarity: Similarity;
  /** The tenant's judge; undefined where there is none, or it is off. */
  readonly reranker: (tenant: string) => Reranker | undefined;
  readonly clock: Clock;
  readonly count: (result: 'semantic' | 'unavailable' | 'reranked' | 'rerank_failed') => void;
  /** Whole time of one event. Default 5,000 ms. */
  readonly limitMs?: number;
}

const LIMIT_MS = 5_000;
const BREAKER = { threshold: 3, resetMs: 15_000 };
const BATCH = 200;
/** Tenants whose failures are remembered. */
const MAX_TENANTS = 1_000;
/** Different texts that are compared for one event; beyond them something else is wrong. */
const MAX_TEXTS = 2_000;
/** So close below the threshold a judge still looks. */
const RERANK_MARGIN = 0.1;
const MAX_SUMMARY = 4_000;
const MAX_INTEREST = 2_000;

/** Who wrote the same words has the same interest: each text is compared once, whoever it belongs to. */
interface Texts {
  readonly unique: readonly string[];
  readonly leftOut: number;
}

/** Cosine of summary and interest by the memory service, then, if configured, the judgement of a model about the closest ones. */
export class MatchMeaning implements MeaningMatcher {
  /** A memory service that hangs must not cost every event its whole time limit; a tenant whose many texts take too long must not cost others theirs. */
  readonly #breakers = new Map<string, CircuitBreaker>();

  constructor(private readonly options: MatchMeaningOptions) {}

  async match(event: LogEvent, tenant: string, interests: readonly Interest[]): Promise<MeaningAnswer> {
    const summary = event.summary?.trim().slice(0, MAX_SUMMARY);
    if (summary === undefined || summary === '') return { available: true, hits: [], note: 'the event has no summary' };
    const texts = differentTexts(interests);
    if (texts.unique.length === 0) return { available: true, hits: [] };
    const patience = new AbortController();
    const timer = this.options.clock.setTimeout(() => patience.abort(), this.options.limitMs ?? LIMIT_MS);
    try {
      return await this.#match(summary, tenant, interests, texts, patience.signal);
    } finally {
      timer.cancel();
    }
  }

  async #match(summary: string, tenant: string, interests: readonly Interest[], texts: Texts, signal: AbortSignal): Promise<MeaningAnswer> {
    const cosines = await this.#cosines(tenant, summary, texts.unique, signal);
    if (cosines === undefined) {
      this.options.count('unavailable');
      return { available: false, hits: [], note: 'no embedding model can be asked; interests in words were not compared' };
    }
    this.options.count('semantic');
    const judged = await this.#judge(tenant, summary, cosines, signal);
    const hits = interests.flatMap(({ subscriptionId, text }) => {
      const verdict = verdictOf(textOf(text), cosines, judged);
      return verdict === undefined ? [] : [{ subscriptionId, ...verdict }];
    });
    const near = new Set(hits.map(({ subscriptionId }) => subscriptionId));
    const misses = interests.flatMap(({ subscriptionId, text }) => {
      const score = judged.scores.get(textOf(text)) ?? cosines.get(textOf(text));
      return score === undefined || near.has(subscriptionId) ? [] : [{ subscriptionId, score }];
    });
    return { available: true, hits, misses, ...noteOf(texts, judged) };
  }

  /** Undefined when there is no embedder, or not all of the texts could be compared in time: half an answer would depend on luck. */
  async #cosines(tenant: string, summary: string, texts: readonly string[], signal: AbortSignal): Promise<Map<string, number> | undefined> {
    const breaker = this.#breakerOf(tenant);
    if (!breaker.canAttempt()) return undefined;
    const cosines = new Map<string, number>();
    try {
      for (let from = 0; from < texts.length; from += BATCH) {
        const others = texts.slice(from, from + BATCH).map((text, index) => ({ id: String(from + index), text }));
        const { available, scores } = await untilAborted(this.options.similarity.compare(tenant, summary, others, signal), signal);
        breaker.success();
        if (!available) return undefined;
        for (const { id, score } of scores) cosines.set(texts[Number(id)] as string, Math.min(1, Math.max(0, score)));
      }
      return cosines;
    } catch {
      // Whatever is wrong with memory, rules go on matching; counted as unavailable by the caller.
      breaker.failure();
      return undefined;
    }
  }

  #breakerOf(tenant: string): CircuitBreaker {
    const breaker = this.#breakers.get(tenant) ?? new CircuitBreaker({ ...BREAKER, clock: this.options.clock });
    if (!this.#breakers.has(tenant) && this.#breakers.size >= MAX_TENANTS) this.#breakers.delete(this.#breakers.keys().next().value as string);
    this.#breakers.set(tenant, breaker);
    return breaker;
  }

  async #judge(tenant: string, summary: string, cosines: ReadonlyMap<string, number>, signal: AbortSignal): Promise<Judged> {
    const reranker = this.options.reranker(tenant);
    const close = [...cosines].filter(([, score]) => score >= SEMANTIC_THRESHOLD - RERANK_MARGIN);
    if (reranker === undefined || close.length === 0) return { scores: new Map(), minScore: 0 };
    const asked = close.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, reranker.maxInterests);
    try {
      const given = await untilAborted(
        reranker.judge(
          summary,
          asked.map(([text]) => text),
          signal,
        ),
        signal,
      );
      this.options.count('reranked');
      return { scores: new Map(asked.map(([text], index) => [text, given[index] as number])), minScore: reranker.minScore };
    } catch {
      // A judge that fails changes nothing: the similarity stands. Counted.
      this.options.count('rerank_failed');
      return { scores: new Map(), minScore: 0, failed: true };
    }
  }
}

interface Judged {
  readonly scores: ReadonlyMap<string, number>;
  readonly minScore: number;
  readonly failed?: true;
}

function verdictOf(text: string, cosines: ReadonlyMap<string, number>, judged: Judged): Omit<MeaningHit, 'subscriptionId'> | undefined {
  const said = judged.scores.get(text);
  if (said !== undefined) return said >= judged.minScore ? { score: said, method: 'llm' } : undefined;
  const cosine = cosines.get(text);
  return cosine !== undefined && cosine >= SEMANTIC_THRESHOLD ? { score: cosine, method: 'semantic' } : undefined;
}

function noteOf({ leftOut }: Texts, { failed }: Judged): { note?: string } {
  const notes = [
    ...(failed ? ['the judging model failed; similarity alone counts'] : []),
    ...(leftOut > 0 ? [`${leftOut} interests beyond ${MAX_TEXTS} were not compared`] : []),
  ];
  return notes.length === 0 ? {} : { note: notes.join('; ') };
}

function differentTexts(interests: readonly Interest[]): Texts {
  const all = [...new Set(interests.map(({ text }) => textOf(text)))].filter((text) => text !== '');
  return { unique: all.slice(0, MAX_TEXTS), leftOut: Math.max(0, all.length - MAX_TEXTS) };
}

function textOf(text: string): string {
  return text.trim().slice(0, MAX_INTEREST);
}

/** Whoever ignores the signal is not waited for. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new AbortedError('not waited for any longer'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
