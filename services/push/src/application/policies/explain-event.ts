import type { pushPolicyContracts, ReplyOf } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { explainDecisions } from '../../domain/explain/explanation.js';
import { type JudgedSubscription, judgeSubscription } from '../../domain/explain/judge-subscription.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import { isNotice } from '../../domain/triggers/notice.js';
import type { MeaningAnswer, MeaningMatcher } from '../meaning.js';
import { compareInterests, hasInterest, interestVerdict, withMeaning } from './explain-meaning.js';
import type { EventReference, EventSearch, ExplainedSubscription, ExplainStore, FoundDecisions, StoredEvents } from './explain-ports.js';

export type Explanation = ReplyOf<typeof pushPolicyContracts.explain>;

export interface ExplainQuestion {
  readonly tenant: string;
  readonly user: string;
  readonly event: EventReference;
  /** Milliseconds: about when it was published. */
  readonly near?: number;
  /** An operator: sees also what the user may not. */
  readonly privileged: boolean;
}

/** Sentences that say nothing about the event: for users who may not see it. */
const UNSEEN = 'It does not cover the event.';

/** Why an event was, was not, or is not yet delivered to a user; also when nothing at all happened. Reads only. */
export class ExplainEvent {
  constructor(
    private readonly store: ExplainStore,
    private readonly events: StoredEvents,
    private readonly meaning: MeaningMatcher,
    private readonly clock: Clock,
  ) {}

  async execute(question: ExplainQuestion): Promise<Explanation> {
    const decided = await this.store.decisionsOf(question.tenant, question.user, question.event);
    if (decided === undefined) return this.#undecided(question);
    return !question.privileged && wasShutOut(decided) ? withheld(question, decided) : told(question.user, decided);
  }

  /** Nobody decided about it for this user. Whoever else got it left the event in the log; otherwise it is looked for where it came in. */
  async #undecided(question: ExplainQuestion): Promise<Explanation> {
    const { tenant, event } = question;
    const position = await this.store.candidatePosition(tenant, event);
    const logged = position === undefined ? undefined : await this.events.ofCandidate(tenant, position, event);
    // What one person was told directly is no event of the tenant: to others it never was.
    if (logged !== undefined && isNotice(logged) && question.privileged) return toldToAnother(question, logged);
    if (logged !== undefined && !isNotice(logged)) return this.#judge(question, logged, undefined);
    const { found, search } = await this.events.find(tenant, event, question.near);
    if (found === undefined) return gone(question, search);
    if ('event' in found) return this.#judge(question, found.event, search);
    const sentence = `It arrived at ${iso(found.at)} and is no event that may be accepted: ${found.invalid} It was put among the dead letters.`;
    return { ...empty(question, search), outcome: 'invalid_event', sentence };
  }

  async #judge(question: ExplainQuestion, event: IncomingEvent, search: EventSearch | undefined): Promise<Explanation> {
    const { tenant, user } = question;
    const [subscriptions, hidden] = await Promise.all([
      this.store.subscriptionsOf(tenant, user),
      question.privileged ? false : this.store.isHidden(tenant, user, event, new Date(this.clock.now())),
    ]);
    const judged = subscriptions.map((subscription) => judgeSubscription(subscription, event));
    const meant = hidden ? undefined : await compareInterests(this.meaning, event, subscriptions, judged);
    const shown = hidden
      ? judged.map((one) => ({ ...one, covers: false, why: UNSEEN }))
      : ordered(judged.map((one, place) => (meant !== undefined && one.covers && hasInterest(subscriptions[place] ?? {}) ? withMeaning(one, meant) : one)));
    const visible = hidden ? {} : { event: nameOf(event) };
    const verdict = hidden ? uncovered(user, judged.length) : verdictOf(user, subscriptions, judged, event, meant);
    return { ...empty(question, search), ...visible, ...verdict, subscriptions: shown.slice(0, MAX_SHOWN) };
  }
}

const MAX_SHOWN = 500;
/** Facts of the mesh that push matches, by their origin. */
const MATCHED_FACTS = new Set(['plexus.vm', 'plexus.routing', 'plexus.memory', 'plexus.config']);

function told(user: string, { event, decisions, repeats, others }: FoundDecisions): Explanation {
  const { outcome, sentence, toBeSent } = explainDecisions(decisions);
  return {
    outcome,
    sentence,
    user,
    event,
    others,
    decisions: decisions.map(({ at, until, trace, ...rest }) => ({
      ...rest,
      at: iso(at),
      ...(until === undefined ? {} : { until: iso(until) }),
      trace: trace.map(({ input, ...step }) => ({ ...step, ...(input === undefined ? {} : { input: { ...input } }) })),
    })),
    repeats,
    ...(toBeSent === undefined ? {} : { toBeSent }),
    subscriptions: [],
  };
}

function nameOf({ origin, source, id, type, severity, receivedAt }: IncomingEvent): NonNullable<Explanation['event']> {
  return { origin, source, id, type, severity, at: iso(receivedAt) };
}

function toldToAnother(question: ExplainQuestion, event: IncomingEvent): Explanation {
  const sentence = `Nothing was decided for ${question.user}: somebody else was told it directly, and such a message is matched with nobody’s subscriptions.`;
  return { ...empty(question, undefined), event: nameOf(event), outcome: 'no_subscription', sentence };
}

/** True when the last word about it is that the user may not see what it is about. */
function wasShutOut({ decisions }: FoundDecisions): boolean {
  return decisions.findLast(({ reason }) => reason !== 'duplicate_event')?.reason === 'not_authorized';
}

/** That it was kept from the user, and nothing of what it is. */
function withheld(question: ExplainQuestion, { decisions, repeats }: FoundDecisions): Explanation {
  const { at = 0, policyVersion = 0 } = decisions.findLast(({ reason }) => reason === 'not_authorized') ?? {};
  const decision = { verdict: 'dropped', reason: 'not_authorized', terminal: true, policyVersion } as const;
  const step = { stage: 'validity', rule: 'access', verdict: 'stop' } as const;
  const { outcome, sentence, toBeSent } = explainDecisions([{ ...decision, at, trace: [step] }]);
  return {
    ...empty(question, undefined),
    outcome,
    sentence,
    decisions: [{ ...decision, at: iso(at), trace: [step] }],
    repeats,
    ...(toBeSent === undefined ? {} : { toBeSent }),
  };
}

function empty({ user }: ExplainQuestion, search: EventSearch | undefined): Omit<Explanation, 'outcome' | 'sentence'> {
  return { user, others: 0, decisions: [], repeats: 0, subscriptions: [], ...(search === undefined ? {} : { search }) };
}

function gone(question: ExplainQuestion, search: EventSearch): Explanation {
  const within = search.oldest === undefined ? '' : ` (from ${search.oldest} to ${search.newest ?? 'now'})`;
  const { origin } = question.event;
  if (origin?.startsWith('plexus.') === true && !MATCHED_FACTS.has(origin)) {
    const sentence = `Nothing was decided about it for ${question.user}: facts of ${origin} are matched with nobody’s subscriptions.`;
    return { ...empty(question, search), outcome: 'event_unknown', sentence };
  }
  const sentence = search.exhausted
    ? `No such event is among the ${search.examined} that the stream ${search.stream} still holds${within}: it never arrived, or it is older than that. For this user nothing was decided about it.`
    : `No such event is among the ${search.examined} that were looked at${within}: name about when it was published, and its source and origin.`;
  return { ...empty(question, search), outcome: 'event_unknown', sentence };
}

type Verdict = Pick<Explanation, 'outcome' | 'sentence' | 'toBeSent'>;

function verdictOf(
  user: string,
  subscriptions: readonly ExplainedSubscription[],
  judged: readonly JudgedSubscription[],
  event: IncomingEvent,
  meant: MeaningAnswer | undefined,
): Verdict {
  const covering = subscriptions.filter((_, place) => judged[place]?.covers === true);
  if (covering.length === 0) return uncovered(user, subscriptions.length);
  const then = covering.filter(({ changedAt }) => changedAt <= event.receivedAt);
  if (then.length === 0) {
    return {
      outcome: 'subscribed_later',
      sentence: `${covering.length === 1 ? 'A subscription covers' : `${covering.length} subscriptions cover`} the event now, but did not exist, or said something else, when it came.`,
      toBeSent: blocked('subscriptions:later', 'The subscription would have to exist, as it is now, before the event.'),
    };
  }
  if (meant !== undefined && covering.every(hasInterest)) {
    const { sentence, unless } = interestVerdict(meant);
    return { outcome: 'no_subscription', sentence, toBeSent: blocked('interest', unless) };
  }
  return {
    outcome: 'pending',
    sentence: 'A subscription covers the event and nothing is decided yet: it is on its way to the decision. If it stays so, look at the backlog of push.',
  };
}

function uncovered(user: string, count: number): Verdict {
  const looked =
    count === 0
      ? 'the user follows nothing'
      : count === 1
        ? 'the one subscription of the user does not cover it'
        : `none of the user’s ${count} subscriptions covers it`;
  return {
    outcome: 'no_subscription',
    sentence: `Nothing was decided for ${user}: ${looked}.`,
    toBeSent: blocked(
      'subscriptions',
      'A subscription of the user would have to cover the event: its case, an entity, region or topic of it, its type, or everything.',
    ),
  };
}

function blocked(rule: string, sentence: string): NonNullable<Explanation['toBeSent']> {
  return { stage: 'match', rule, sentence };
}

/** What covers it first: that is what somebody looks for. */
function ordered(judged: readonly JudgedSubscription[]): JudgedSubscription[] {
  return [...judged.filter(({ covers }) => covers), ...judged.filter(({ covers }) => !covers)];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
