import { NO_TENANT } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { ExplainController } from '../adapters/nats/explain.controller.js';
import { NatsActivationLog } from '../adapters/nats/activation-log.js';
import { PoliciesController } from '../adapters/nats/policies.controller.js';
import { NatsStoredEvents } from '../adapters/nats/stored-events.js';
import { PostgresExplainStore } from '../adapters/postgres/explain-store.js';
import { PostgresOpinionStore } from '../adapters/postgres/opinion-store.js';
import { type EncodeActivation, PostgresPolicyStore } from '../adapters/postgres/policy-store.js';
import { PostgresReplayJobStore } from '../adapters/postgres/replay-job-store.js';
import { standingFacts } from '../adapters/postgres/standing-facts.js';
import { MEANING, type MeaningMatcher } from '../application/meaning.js';
import { ExplainEvent } from '../application/policies/explain-event.js';
import { ManagePolicies } from '../application/policies/manage-policies.js';
import { Opinions } from '../application/policies/opinions.js';
import { ReplayJobs } from '../application/policies/replay-jobs.js';
import { ReplayLog } from '../application/policies/replay-log.js';
import { ReplayPolicies } from '../application/policies/replay-policies.js';
import { createEngine } from '../domain/engine/engine.js';
import { withoutTests } from '../domain/policy/policy-text.js';
import { testPolicy } from '../domain/policy/test-policy.js';
import { compareRuns } from '../domain/replay/compare.js';
import type { PushBasis, PushPart } from './part.js';

/** The check of an activation must end within its call; a job may take its time. */
const CHECK = { inputs: 200_000, held: 100_000, ms: 25_000 };
const JOB = { replay: { inputs: 5_000_000, held: 100_000, ms: 30 * 60_000 }, perTenant: 2, perReplica: 2 };
const SEARCH = { messages: 5_000, ms: 2_500 };

/** Policies, replay, explanations, feedback. */
export function wirePolicies(basis: PushBasis): PushPart {
  const { context, database, relay, stopping, reader } = basis;
  const { clock, bus, log } = context;
  const newId = () => ulid(clock.now());
  const encode: EncodeActivation = (tenant, id, { version, body }) =>
    basis.log.encoded({ tenant, user: NO_TENANT, kind: 'policy', id, data: { version, body: withoutTests(body) } });
  const store = new PostgresPolicyStore(database, newId, encode, () => relay.kick());
  const replay = new ReplayLog(reader, createEngine(), compareRuns, standingFacts(database), clock);
  const onFailure = (err: unknown) => log.warn({ err }, 'a replay of the log failed');
  const jobs = new ReplayJobs(new PostgresReplayJobStore(database), replay, newId, clock, JOB, stopping, onFailure);
  const replays: ReplayPolicies = new ReplayPolicies(() => policies, jobs, replay, clock, CHECK, stopping);
  const policies: ManagePolicies = new ManagePolicies(
    store,
    testPolicy,
    (tenant, compared, hours) => replays.check(tenant, compared, hours),
    new NatsActivationLog(bus),
    clock,
  );
  return {
    controllers: [PoliciesController, ExplainController],
    providers: [
      { provide: ManagePolicies, useValue: policies },
      { provide: ReplayPolicies, useValue: replays },
      {
        provide: ExplainEvent,
        useFactory: (meaning: MeaningMatcher) => new ExplainEvent(new PostgresExplainStore(database), new NatsStoredEvents(bus, clock, SEARCH), meaning, clock),
        inject: [MEANING],
      },
      { provide: Opinions, useValue: new Opinions(new PostgresOpinionStore(database), clock) },
    ],
    start: () => context.onShutdown('consumers', 'replays', () => jobs.settled()),
  };
}
