import { NatsCandidateLog } from '../adapters/nats/candidate-log.js';
import type { LogEntries } from '../adapters/nats/log-entries.js';
import { PostgresFanOutJobs } from '../adapters/postgres/fan-out-jobs.js';
import { PostgresSubscriptionIndex } from '../adapters/postgres/subscription-index.js';
import type { FanOutJobs } from '../application/deciding-ports.js';
import { FairQueue } from '../application/fair-queue.js';
import { GivingWay } from '../application/giving-way.js';
import { MatchEvent, QUANTUM } from '../application/match-event.js';
import type { MatchingHooks } from '../application/matching-hooks.js';
import { NO_MEANING } from '../application/meaning.js';
import type { PushBasis } from './part.js';

export type { MatchingHooks };

/** Tasks of matching that run at the same time: look-ups in the database and windows of publishes. */
const TASKS = 32;
const URGENT_TASKS = 16;
/** While critical events come, the others are looked up and written in rounds this far apart. */
const ROUND_BESIDE_URGENT_MS = 10;

export interface Matching {
  readonly matchEvent: MatchEvent;
  readonly jobs: FanOutJobs;
  /** What else sees events; called once the parts that do are wired. */
  use(hooks: MatchingHooks): void;
  /** Who works on large audiences is told of each. */
  onJob(listener: () => void): void;
}

/** The matcher: rules of subscriptions, turns of tenants, candidates into the log. */
export function createMatching(
  { bus, clock, log: logger }: Pick<PushBasis['context'], 'bus' | 'clock' | 'log'>,
  { database, hot, urgent }: Pick<PushBasis, 'database' | 'hot' | 'urgent'>,
  log: LogEntries,
): Matching {
  let hooks: MatchingHooks = {};
  const jobs = new PostgresFanOutJobs(database);
  let listener = () => {};
  const way = new GivingWay(clock, ROUND_BESIDE_URGENT_MS);
  const candidates = new NatsCandidateLog(
    log,
    (subject, body, options) => bus.publishRaw(subject, body, options),
    ({ tenant, user, event }, err) => logger.error({ err, tenant, user, eventKey: event.key }, 'a candidate cannot be written; this user is passed over'),
  );
  const matchEvent = new MatchEvent({
    subscriptions: new PostgresSubscriptionIndex(database, hot, urgent),
    jobs,
    log: candidates,
    meaning: () => hooks.meaning ?? NO_MEANING,
    tap: () => hooks.tap,
    turns: { urgent: new FairQueue(QUANTUM, URGENT_TASKS), others: new FairQueue(QUANTUM, TASKS, { way, clock }) },
    onUrgent: () => way.urgent(),
    onJob: () => listener(),
  });
  return {
    matchEvent,
    jobs,
    use: (given) => {
      hooks = given;
    },
    onJob: (told) => {
      listener = told;
    },
  };
}
