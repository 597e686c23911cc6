import type { LogEvent } from '../domain/engine/types.js';

/** What a user wrote a subscription's interest in, in words. */
export interface Interest {
  readonly subscriptionId: string;
  readonly user: string;
  readonly text: string;
}

/** A subscription whose interest the event means. `score` is 0..1: the cosine, or what the re-ranking model said. */
export interface MeaningHit {
  readonly subscriptionId: string;
  readonly score: number;
  readonly method: 'semantic' | 'llm';
}

export interface MeaningAnswer {
  /** False: nobody can say what texts mean (no embedding model, or it is down). Then there are no hits, and nothing is guessed. */
  readonly available: boolean;
  readonly hits: readonly MeaningHit[];
  /** What was compared and is too far away, for explanations. */
  readonly misses?: readonly { readonly subscriptionId: string; readonly score: number }[];
  /** Why it is not available, or what was left out; for traces and logs. */
  readonly note?: string;
}

/** Cosine from which on an event concerns an interest. */
export const SEMANTIC_THRESHOLD = 0.65;

/**
 * Compares what an event says with what people are interested in. Never rejects, and answers within a bound of its own whatever the
 * services behind it do: matching by rules must not wait for it. An event without a summary means nothing: no hits.
 */
export interface MeaningMatcher {
  match(event: LogEvent, tenant: string, interests: readonly Interest[]): Promise<MeaningAnswer>;
}

/** Injection token of the matcher that is wired. */
export const MEANING = Symbol('MeaningMatcher');

/** Where nothing can compare meanings. */
export const NO_MEANING: MeaningMatcher = { match: async () => ({ available: false, hits: [], note: 'no matcher of meanings' }) };
