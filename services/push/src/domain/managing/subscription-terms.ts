import type { Predicate } from '../predicate.js';
import type { FollowedScope } from '../subscription.js';

/** What a subscription says, beside whose it is and what it is about. Instants in milliseconds. */
export interface SubscriptionTerms {
  readonly minSeverity: FollowedScope['minSeverity'];
  readonly typePatterns: readonly string[];
  readonly level: FollowedScope['level'];
  readonly predicate?: Predicate;
  readonly interestText?: string;
  readonly mutedUntil?: number;
  readonly validFrom?: number;
  readonly validTo?: number;
}

/** What makes a subscription unique for a user. */
export interface SubscriptionKey {
  readonly scopeKind: FollowedScope['scopeKind'];
  /** Empty for scope `all`. */
  readonly scopeRef: string;
  /** Empty = the unnamed one. */
  readonly name: string;
}

export interface SubscriptionDraft extends SubscriptionKey, SubscriptionTerms {}

/** A subscription as it is kept. */
export interface StoredSubscription extends SubscriptionDraft {
  readonly id: string;
  readonly user: string;
  readonly version: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

const TERMS = ['minSeverity', 'typePatterns', 'level', 'predicate', 'interestText', 'mutedUntil', 'validFrom', 'validTo'] as const;

/** The terms alone, every pattern once. */
export function termsOf(from: SubscriptionTerms): SubscriptionTerms {
  const terms = Object.fromEntries(TERMS.filter((field) => from[field] !== undefined).map((field) => [field, from[field]])) as unknown as SubscriptionTerms;
  return { ...terms, typePatterns: [...new Set(from.typePatterns)] };
}

export function sameTerms(a: SubscriptionTerms, b: SubscriptionTerms): boolean {
  return sortedJson(termsOf(a)) === sortedJson(termsOf(b));
}

/** The database does not keep the order of a predicate's keys. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}

export interface TermsIssue {
  readonly path: string;
  readonly message: string;
}

/** What contradicts itself: a scope that names nothing or too much, a mute that is none, a time that ends before it begins. */
export function draftIssues({ scopeKind, scopeRef, level, mutedUntil, validFrom, validTo }: SubscriptionDraft): TermsIssue[] {
  const issues: TermsIssue[] = [];
  if (scopeKind === 'all' && scopeRef !== '') issues.push({ path: 'scopeRef', message: 'scope all follows everything and takes no scopeRef' });
  if (scopeKind !== 'all' && scopeRef === '') issues.push({ path: 'scopeRef', message: `scope ${scopeKind} needs a scopeRef` });
  if (mutedUntil !== undefined && level !== 'muted') issues.push({ path: 'mutedUntil', message: 'goes with level muted only' });
  if (validFrom !== undefined && validTo !== undefined && validTo <= validFrom) issues.push({ path: 'validTo', message: 'must be later than validFrom' });
  return issues;
}

/** About what a subscription takes in a list, in bytes; the store counts the same way. */
export function bytesOf({ scopeRef, name, predicate, interestText, typePatterns }: SubscriptionDraft): number {
  const texts = [scopeRef, name, predicate === undefined ? '' : JSON.stringify(predicate), interestText ?? '', ...typePatterns.map((pattern) => `${pattern},`)];
  return 500 + Buffer.byteLength(texts.join(''));
}
