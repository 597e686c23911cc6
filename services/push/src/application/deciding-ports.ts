import type { LogEvent, LogHit } from '../domain/engine/types.js';

/** One user whom an event concerns, as the matcher writes it into the log. */
export interface MatchedUser {
  readonly user: string;
  /** Most specific first. */
  readonly hits: readonly LogHit[];
  /** The best score of the hits. */
  readonly score: number;
}

/** A part of an audience, at most 500 users, in the order of their names. */
export interface CandidateBatch {
  readonly candidates: readonly MatchedUser[];
  /** Subscriptions that were looked at for this batch and did not cover the event, each with the first rule that failed. At most 100. */
  readonly rejected: readonly { readonly user: string; readonly subscriptionId: string; readonly rule: string }[];
}

/** Whom an event concerns now. Reads only; used by explanations, and by the matcher itself. */
export interface CandidateSource {
  forEvent(event: LogEvent, tenant: string): AsyncIterable<CandidateBatch>;
}
