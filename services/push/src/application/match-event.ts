import { createHash } from 'node:crypto';
import type { LogEvent } from '../domain/engine/types.js';
import type { IncomingEvent } from '../domain/incoming-event.js';
import { addFound, splitByMeaning, toHits, toLogEvent } from '../domain/log-event.js';
import { match } from '../domain/match.js';
import { firstMiss } from '../domain/rejection.js';
import type { FollowedScope } from '../domain/subscription.js';
import type { CandidateBatch, CandidateEntry, CandidateLog, CandidateSource, EventTap, FanOutJobs, FanOutPage, MatchedUser } from './deciding-ports.js';
import type { FairQueue } from './fair-queue.js';
import type { MeaningMatcher } from './meaning.js';
import type { SubscriptionIndex } from './ports.js';

/** Candidates that are written at a time, so that a large audience lets others through: one turn of a tenant. */
export const QUANTUM = 50;
/** More subscriptions than this make an audience that is worked off page by page. */
const SMALL_AUDIENCE = 500;
const MOST_REJECTED = 100;
const BATCH = 500;

export interface MatchEventOptions {
  readonly subscriptions: SubscriptionIndex;
  readonly jobs: FanOutJobs;
  readonly log: CandidateLog;
  readonly meaning: () => MeaningMatcher;
  /** Turns of tenants; what is urgent has its own, so that it waits for nothing else. */
  readonly turns: { readonly urgent: FairQueue; readonly others: FairQueue };
  /** Also told of every event; undefined while nothing needs to be. */
  readonly tap: () => EventTap | undefined;
  /** Something urgent came: the others give way. */
  onUrgent?(): void;
  /** A job was begun: somebody should work on it. */
  onJob(): void;
}

/** From an event to its candidates in the log. Safe to repeat at any point: the log stores a candidate once, a job is begun once. */
export class MatchEvent implements CandidateSource {
  constructor(private readonly options: MatchEventOptions) {}

  /** Settles when every candidate is stored, or the audience is kept as a job. */
  async execute(event: IncomingEvent): Promise<void> {
    const { subscriptions, jobs, onJob, onUrgent } = this.options;
    if (event.severity === 'critical') onUrgent?.();
    const told = { tenant: event.tenant, event: toLogEvent(event), ...(event.agent === undefined ? {} : { agent: event.agent }) };
    const tapped = this.options.tap()?.onEvent(told);
    const [few] = await Promise.all([this.turnsOf(event).run(event.tenant, 1, () => subscriptions.fewFor(event, SMALL_AUDIENCE)), tapped]);
    if (few !== undefined) return this.write(event, few);
    await jobs.begin({ id: jobId(event), event });
    onJob();
  }

  /** Writes the candidates of one page. */
  async page({ event, subscriptions }: FanOutPage): Promise<void> {
    await this.write(event, subscriptions);
  }

  async *forEvent(event: LogEvent, tenant: string, at = Date.now()): AsyncIterable<CandidateBatch> {
    const incoming: IncomingEvent = { ...event, tenant, receivedAt: at, inputSeq: 0 };
    const found = await this.options.subscriptions.candidatesFor(incoming);
    const candidates = await this.matched(incoming, found);
    const rejected = found.flatMap((subscription) => {
      const rule = firstMiss(subscription, incoming);
      return rule === undefined ? [] : [{ user: subscription.user, subscriptionId: subscription.id, rule }];
    });
    for (let from = 0; from === 0 || from < candidates.length; from += BATCH) {
      yield { candidates: candidates.slice(from, from + BATCH), rejected: from === 0 ? rejected.slice(0, MOST_REJECTED) : [] };
    }
  }

  private async write(event: IncomingEvent, subscriptions: readonly FollowedScope[]): Promise<void> {
    const { log } = this.options;
    const logged = toLogEvent(event);
    const rest = { tenant: event.tenant, event: logged, ...(event.agent === undefined ? {} : { agent: event.agent }) };
    const entries: CandidateEntry[] = (await this.matched(event, subscriptions)).map((matched) => ({ ...matched, ...rest }));
    const pages = Array.from({ length: Math.ceil(entries.length / QUANTUM) }, (_, index) => entries.slice(index * QUANTUM, (index + 1) * QUANTUM));
    await Promise.all(pages.map((some) => this.turnsOf(event).run(event.tenant, some.length, () => log.append(some))));
  }

  private turnsOf({ severity }: IncomingEvent): FairQueue {
    const { urgent, others } = this.options.turns;
    return severity === 'critical' ? urgent : others;
  }

  /** Users whom the event concerns, by rule or by meaning. */
  private async matched(event: IncomingEvent, subscriptions: readonly FollowedScope[]): Promise<MatchedUser[]> {
    const { found, open } = splitByMeaning(match(event, subscriptions));
    let notes: ReadonlyMap<string, string> = new Map();
    if (open.length > 0) {
      const interests = open.map(({ id, user, interestText }) => ({ subscriptionId: id, user, text: interestText ?? '' }));
      const { hits, note } = await this.options.meaning().match(toLogEvent(event), event.tenant, interests);
      if (note !== undefined) notes = new Map(open.map(({ user }) => [user, note]));
      const byId = new Map(open.map((scope) => [scope.id, scope]));
      for (const { subscriptionId, score, method } of hits) {
        const scope = byId.get(subscriptionId);
        if (scope !== undefined) addFound(found, scope.user, { scope, method, score: Math.min(1, Math.max(0, score)) });
      }
    }
    return [...found]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([user, of]) => {
        const note = notes.get(user);
        return { user, ...toHits(of), ...(note === undefined ? {} : { note }) };
      });
  }
}

/** The same message again is the same job; the same event published again is another one. */
function jobId({ tenant, origin, source, id, inputSeq, receivedAt }: IncomingEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, origin, source, id, inputSeq, receivedAt]))
    .digest('base64url');
}
