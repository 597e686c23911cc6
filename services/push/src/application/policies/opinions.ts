import { errors } from '@plexus/contracts';
import type { pushPolicyContracts, ReplyOf } from '@plexus/contracts';
import { type Clock, isStorableText, toStorableText } from '@plexus/kernel';
import { type JudgedDeliveries, suggestLevel } from '../../domain/suggest-level.js';
import type { Owner } from '../ports.js';

type Stats = ReplyOf<typeof pushPolicyContracts.pushStats>;
export type DecisionCount = Stats['decisions'][number];
export type SubscriptionCount = Stats['subscriptions'][number];
export type Suggestion = Stats['suggestions'][number];

export interface JudgedSubscription extends JudgedDeliveries {
  readonly subscriptionId: string;
  readonly scopeKind: string;
  readonly scopeRef: string;
}

/** Opinions about deliveries, and what decisions and deliveries add up to. */
export interface OpinionStore {
  /** Keeps it; false when the user has no such delivery. */
  keep(owner: Owner, opinion: { readonly deliveryId: string; readonly useful: boolean; readonly note?: string; readonly at: Date }): Promise<boolean>;
  /** Subscriptions of the user with what was said lately about their deliveries. */
  judged(owner: Owner): Promise<JudgedSubscription[]>;
  /** Without `user`: of the whole tenant. */
  decisions(tenant: string, user: string | undefined, span: Span): Promise<DecisionCount[]>;
  subscriptions(tenant: string, user: string | undefined, span: Span): Promise<SubscriptionCount[]>;
}

/** `[from, to)`. */
export interface Span {
  readonly from: Date;
  readonly to: Date;
}

const WEEK_MS = 7 * 24 * 60 * 60_000;
const LONGEST_MS = 62 * 24 * 60 * 60_000;

/** What people say of what they got, and what can be learnt from it. Nothing here changes a decision. */
export class Opinions {
  constructor(
    private readonly store: OpinionStore,
    private readonly clock: Clock,
  ) {}

  /** Records the opinion of the delivery's owner; the same delivery again replaces it. NOT_FOUND when it is nobody's or somebody else's. */
  async give(
    owner: Owner,
    { deliveryId, useful, note }: { readonly deliveryId: string; readonly useful: boolean; readonly note?: string | undefined },
  ): Promise<Suggestion[]> {
    const opinion = { deliveryId, useful, at: new Date(this.clock.now()), ...(note === undefined ? {} : { note: toStorableText(note) }) };
    if (!isStorableText(deliveryId) || !(await this.store.keep(owner, opinion))) {
      throw errors.create('NOT_FOUND', { message: 'There is no such delivery in your inbox.' });
    }
    return this.suggestions(owner);
  }

  async suggestions(owner: Owner): Promise<Suggestion[]> {
    const judged = await this.store.judged(owner);
    return judged.flatMap((one) => {
      const level = suggestLevel(one);
      return level === undefined
        ? []
        : [{ subscriptionId: one.subscriptionId, scopeKind: one.scopeKind, scopeRef: one.scopeRef, level, sentence: sentenceOf(one, level) }];
    });
  }

  /** Counts of a stretch of time, seven days by default. INVALID_REQUEST when it is empty or longer than 62 days. */
  async stats(tenant: string, user: string | undefined, given: { readonly from?: string | undefined; readonly to?: string | undefined }): Promise<Stats> {
    const to = given.to === undefined ? this.clock.now() : Date.parse(given.to);
    const from = given.from === undefined ? to - WEEK_MS : Date.parse(given.from);
    if (from >= to || to - from > LONGEST_MS)
      throw errors.create('INVALID_REQUEST', { message: 'The stretch of time must be longer than nothing and at most 62 days.' });
    const span = { from: new Date(from), to: new Date(to) };
    const [decisions, subscriptions, suggestions] = await Promise.all([
      this.store.decisions(tenant, user, span),
      this.store.subscriptions(tenant, user, span),
      user === undefined ? [] : this.suggestions({ tenant, user }),
    ]);
    return { from: span.from.toISOString(), to: span.to.toISOString(), ...(user === undefined ? {} : { user }), decisions, subscriptions, suggestions };
  }
}

function sentenceOf({ scopeKind, scopeRef, useful, notUseful, level }: JudgedSubscription, quieter: string): string {
  const scope = scopeKind === 'all' ? 'everything' : `${scopeKind} ${scopeRef}`;
  return `${notUseful} of ${useful + notUseful} deliveries because of ${scope} were not useful: level ${quieter} instead of ${level}?`;
}
