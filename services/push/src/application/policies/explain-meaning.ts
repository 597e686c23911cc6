import { toLogEvent } from '../../domain/log-event.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { JudgedSubscription } from '../../domain/explain/judge-subscription.js';
import { type MeaningAnswer, type MeaningMatcher, SEMANTIC_THRESHOLD } from '../meaning.js';
import type { ExplainedSubscription } from './explain-ports.js';

/** What the matcher of meanings says now, about interests that the rules of their subscriptions leave open. Undefined: there are none. */
export async function compareInterests(
  meaning: MeaningMatcher,
  event: IncomingEvent,
  subscriptions: readonly ExplainedSubscription[],
  judged: readonly JudgedSubscription[],
): Promise<MeaningAnswer | undefined> {
  const open = subscriptions.filter((subscription, place) => judged[place]?.covers === true && hasInterest(subscription));
  if (open.length === 0) return undefined;
  const interests = open.map(({ id, user, interestText }) => ({ subscriptionId: id, user, text: interestText ?? '' }));
  return meaning.match(toLogEvent(event), event.tenant, interests);
}

export function hasInterest({ interestText }: Pick<ExplainedSubscription, 'interestText'>): boolean {
  return typeof interestText === 'string' && interestText !== '';
}

/** The sentence about a subscription with an interest, once its rules cover the event. */
export function withMeaning(judged: JudgedSubscription, answer: MeaningAnswer): JudgedSubscription {
  const { subscriptionId } = judged;
  const of = (list: MeaningAnswer['misses']) => list?.find((one) => one.subscriptionId === subscriptionId)?.score;
  const [hit, miss] = [of(answer.hits), of(answer.misses)];
  if (hit !== undefined) return { ...judged, why: `Its rules cover the event, and the event is near its interest in meaning: ${hit.toFixed(2)}.` };
  if (miss !== undefined) {
    return { ...judged, why: `Its rules cover the event, but it is not near its interest in meaning: ${miss.toFixed(2)}; ${SEMANTIC_THRESHOLD} is needed.` };
  }
  return { ...judged, why: `Its rules cover the event; its interest cannot be compared: ${answer.note ?? 'the model refuses the text'}.` };
}

/** For an event that only interests could have led to the user. */
export function interestVerdict(answer: MeaningAnswer): { readonly sentence: string; readonly unless: string } {
  const rules = 'The rules of a subscription cover the event, but';
  const notNear = { unless: 'What the event says would have to be nearer to the interest, or the interest be left out.' };
  if (!answer.available) {
    return {
      sentence: `${rules} its interest in words could not be compared: ${answer.note ?? 'nobody can be asked'}.`,
      unless: 'An embedding model would have to be configured and answer when the event comes, or the interest be left out.',
    };
  }
  if (answer.hits.length > 0) {
    return {
      sentence:
        'The event is near enough now to what the user is interested in, yet nothing is decided: it is on its way, or could not be compared when it came.',
      unless: 'An embedding model would have to answer when the event comes.',
    };
  }
  const nearest = Math.max(...(answer.misses ?? []).map(({ score }) => score));
  if (Number.isFinite(nearest)) return { sentence: `${rules} it is not near enough to its interest in meaning: ${nearest.toFixed(2)} at most.`, ...notNear };
  return { sentence: `${rules} it cannot be compared with its interest: ${answer.note ?? 'the model refuses the text'}.`, ...notNear };
}
