import type { DataOf, pushContracts } from '@plexus/contracts';
import type { Issue } from '../../application/managing/invalid.js';
import type { TermsPatch } from '../../application/managing/manage-subscriptions.js';
import type { StoredSubscription, SubscriptionDraft } from '../../domain/managing/subscription-terms.js';
import { type Predicate, readPredicate } from '../../domain/predicate.js';

type Written = DataOf<typeof pushContracts.subscribe>;
type Patch = DataOf<typeof pushContracts.updateSubscription>;

/** A draft as the use cases know it, and what is wrong with its predicate. */
export function draftFrom({ predicate, mutedUntil, validFrom, validTo, interestText, ...written }: Written): {
  draft: SubscriptionDraft;
  issues: readonly Issue[];
} {
  const issues: Issue[] = [];
  const condition = predicateFrom(predicate, issues);
  const draft = {
    ...written,
    ...(condition === undefined ? {} : { predicate: condition }),
    ...(interestText === undefined ? {} : { interestText }),
    ...instants({ mutedUntil, validFrom, validTo }),
  };
  return { draft, issues };
}

export function patchFrom({ id: _id, baseVersion: _base, predicate, mutedUntil, validFrom, validTo, ...rest }: Patch): {
  patch: TermsPatch;
  issues: readonly Issue[];
} {
  const issues: Issue[] = [];
  const condition = predicate === null ? null : predicateFrom(predicate, issues);
  return { patch: { ...rest, predicate: condition, ...instants({ mutedUntil, validFrom, validTo }) }, issues };
}

function predicateFrom(predicate: unknown, issues: Issue[]): Predicate | undefined {
  if (predicate === undefined) return undefined;
  const read = readPredicate(predicate);
  if (read.ok) return read.value;
  issues.push(...read.issues);
  return undefined;
}

/** Those that are given, in milliseconds; null stays null. */
function instants<T extends Record<string, string | null | undefined>>(
  written: T,
): { [K in keyof T]?: T[K] extends string | undefined ? number : number | null } {
  const given = Object.entries(written).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value === null ? null : Date.parse(value as string)])) as never;
}

/** A subscription as callers see it. */
export function toContract(subscription: StoredSubscription): pushContracts.Subscription {
  const { name, predicate, mutedUntil, validFrom, validTo, typePatterns, ...rest } = subscription;
  const instant = (field: string, at: number | undefined) => (at === undefined ? {} : { [field]: new Date(at).toISOString() });
  return {
    ...rest,
    typePatterns: [...typePatterns],
    ...(name === '' ? {} : { name }),
    ...(predicate === undefined ? {} : { predicate: { ...predicate } }),
    ...instant('mutedUntil', mutedUntil),
    ...instant('validFrom', validFrom),
    ...instant('validTo', validTo),
  };
}
