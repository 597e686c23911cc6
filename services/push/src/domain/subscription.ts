import type { pushContracts, Severity } from '@plexus/contracts';
import type { z } from 'zod';
import { holds, type Predicate } from './predicate.js';

export type ScopeKind = z.infer<typeof pushContracts.SubscriptionScope>;
export type SubscriptionLevel = z.infer<typeof pushContracts.SubscriptionLevel>;

/** What one user follows, as the matcher sees it. */
export interface FollowedScope {
  readonly id: string;
  readonly user: string;
  readonly scopeKind: ScopeKind;
  /** Empty for scope `all`; may hold `*` for scope `type`. */
  readonly scopeRef: string;
  readonly minSeverity: Severity;
  /** Empty = every type. */
  readonly typePatterns: readonly string[];
  readonly level: SubscriptionLevel;
  /** Counts the changes, so that a decision names exactly what it was made from. */
  readonly version: number;
  /** With level `muted`: until this moment, in milliseconds; absent = for ever. The level then counts as `all`. */
  readonly mutedUntil?: number | null;
  /** Must hold for the event's `data`. */
  readonly predicate?: Predicate | null;
  /** With it the rule only says where to look: the event must also be near this text in meaning. */
  readonly interestText?: string | null;
  /** `[validFrom, validTo)` in milliseconds of log time; absent = unbounded. */
  readonly validFrom?: number | null;
  readonly validTo?: number | null;
}

/** True while the subscription is in force. `at`: when the log stored the event, in milliseconds. */
export function isInForce({ validFrom, validTo }: Pick<FollowedScope, 'validFrom' | 'validTo'>, at: number): boolean {
  return (validFrom ?? Number.NEGATIVE_INFINITY) <= at && at < (validTo ?? Number.POSITIVE_INFINITY);
}

/** True when the subscription's own condition lets the event through. Pure and of bounded cost. */
export function meetsPredicate({ predicate }: Pick<FollowedScope, 'predicate'>, data: unknown): boolean {
  return predicate === undefined || predicate === null || holds(predicate, data);
}

/** The narrower the scope, the more its owner meant it: the most specific subscription that covers an event decides. */
export const SPECIFICITY: Readonly<Record<ScopeKind, number>> = { case: 5, entity: 4, topic: 3, region: 2, type: 1, all: 0 };

const SEVERITY_RANK: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2, critical: 3 };

/** True when `severity` is `floor` or worse. */
export function reaches(severity: Severity, floor: Severity): boolean {
  return SEVERITY_RANK[severity] >= SEVERITY_RANK[floor];
}
