import { PERFORMED } from '@plexus/agent-config';
import { allowedHosts, type ConfigUpdate, guardedFetch } from '@plexus/service-kit';
import { type Clock, ulid } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import { OpenAiReranker } from '../adapters/http/openai-reranker.js';
import { DispatchController } from '../adapters/nats/dispatch.controller.js';
import { MeshAgents } from '../adapters/nats/mesh-agents.js';
import { MeshSimilarity } from '../adapters/nats/mesh-similarity.js';
import { SchedulesController } from '../adapters/nats/schedules.controller.js';
import { TriggerMessages } from '../adapters/nats/trigger-messages.js';
import { PostgresDispatchStore } from '../adapters/postgres/dispatch-store.js';
import { PostgresScheduleStore } from '../adapters/postgres/schedule-store.js';
import { PostgresTriggerStore } from '../adapters/postgres/trigger-store.js';
import { MEANING } from '../application/meaning.js';
import { PruneSeenEvents } from '../application/prune-seen-events.js';
import { AdvanceRuns } from '../application/triggers/advance-runs.js';
import { AgentTools } from '../application/triggers/agent-tools.js';
import { ConfigSchedules } from '../application/triggers/config-schedules.js';
import { DispatchOnEvent } from '../application/triggers/dispatch-on-event.js';
import { type FiringResult, FireSchedules } from '../application/triggers/fire-schedules.js';
import { ManageDispatch } from '../application/triggers/manage-dispatch.js';
import { ManageSchedules } from '../application/triggers/manage-schedules.js';
import { MatchMeaning, type Reranker } from '../application/triggers/match-meaning.js';
import { Rounds } from '../application/triggers/rounds.js';
import { channelSet } from './channels.wiring.js';
import type { MatchingHooks } from './matching.js';
import type { PushBasis, PushPart } from './part.js';

const meanings = counter('pushMeanings');
const firings = counter('pushFirings');
const dispatches = counter('pushDispatches');

const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_SOCKETS = 8;
/** Judges that are kept: one per tenant that has one, and a few that were replaced. */
const MAX_JUDGES = 200;

/** Schedules, dispatch rules, tools for agents, matching by meaning. */
export function wireTriggers(basis: PushBasis): PushPart & Required<Pick<MatchingHooks, 'meaning' | 'tap'>> {
  const { context, database, relay, stopping } = basis;
  const { bus, clock, identity, log, tenants } = context;
  const newId = () => ulid(clock.now());
  const messages = new TriggerMessages(basis.log, (contract, event) => bus.encodeEvent(contract, event));
  const agents = new MeshAgents(bus, (tenant, user) => identity.service(tenant, user));
  const schedules = new PostgresScheduleStore(database);
  const dispatching = new PostgresDispatchStore(database);
  const store = new PostgresTriggerStore(
    database,
    (message) => messages.encoded(message),
    () => relay.kick(),
  );
  const counted = (result: 'made' | 'done' | 'failed' | 'refused') => {
    dispatches.add(1, { result });
    if (result === 'made') running.wake();
  };
  let compared = true;
  const countMeaning = (result: 'semantic' | 'unavailable' | 'reranked' | 'rerank_failed') => {
    meanings.add(1, { result });
    // Said when it begins and when it is over, not with every event.
    if (result === 'unavailable' && compared) log.warn('no embedding model can be asked: interests in words are not compared with events');
    if (result === 'semantic' && !compared) log.info('interests in words are compared with events again');
    if (result === 'semantic' || result === 'unavailable') compared = result === 'semantic';
  };
  const advance = new AdvanceRuns(store, agents, clock, (err, run) => log.warn({ err, runId: run.id, tenant: run.tenant }, 'a research run waits'), counted);
  const running = new Rounds(
    () => advance.step(),
    clock,
    (err) => log.warn({ err }, 'research runs could not be looked at; tried again'),
  );
  const fired = (result: FiringResult) => {
    firings.add(1, { result });
    running.wake();
  };
  const fire = new FireSchedules(store, clock, newId, fired, (tenant) => Object.hasOwn(tenants.platform().tenants, tenant));
  const firing = new Rounds(
    () => fire.step(),
    clock,
    (err) => log.warn({ err }, 'schedules could not be fired; tried again'),
  );
  const tap = new DispatchOnEvent(store, dispatching, clock, newId, counted);
  const pruning = new PruneSeenEvents(store, clock, (err) => log.warn({ err }, 'old runs could not be pruned; tried again later'));
  const configured = new ConfigSchedules(schedules, clock);
  const apply = async ({ tenant, after, revision }: ConfigUpdate) => {
    // The platform's default owner is filled in there.
    await configured.apply(tenant, tenants.get(tenant) ?? after, revision);
  };

  const meaning = new MatchMeaning({
    similarity: new MeshSimilarity(bus, (tenant) => identity.service(tenant)),
    reranker: judges(basis, clock),
    clock,
    count: (result) => countMeaning(result),
  });

  return {
    controllers: [SchedulesController, DispatchController],
    providers: [
      { provide: ManageSchedules, useValue: new ManageSchedules(schedules, fire, agents, clock, newId) },
      { provide: ManageDispatch, useValue: new ManageDispatch(dispatching, agents, clock, newId, (tenant) => tap.forget(tenant)) },
      { provide: MEANING, useValue: meaning },
      { provide: AgentTools, useValue: new AgentTools(store, agents, clock, newId, counted) },
    ],
    meaning,
    tap,
    start: async () => {
      // A tenant whose document is gone has no schedules of it either.
      for (const tenant of Object.keys(tenants.platform().tenants)) if (tenants.revisionOf(tenant) === 0) await configured.clear(tenant);
      await context.reload.onConfig(PERFORMED.cron.prefixes, 'cron', apply, { initial: true });
      await context.reload.onConfig(PERFORMED.heartbeat.prefixes, 'heartbeat', apply);
      const loops = [firing.run(context.config.PUSH_TIMER_POLL_MS, stopping), running.run(context.config.PUSH_TIMER_POLL_MS, stopping), pruning.run(stopping)];
      context.onShutdown('consumers', 'schedules and research runs', () => Promise.all(loops).then(() => undefined));
    },
  };
}

/** The judging model of each tenant, as its configuration and the secret behind it are now. */
function judges(basis: PushBasis, clock: Clock): (tenant: string) => Reranker | undefined {
  const { context } = basis;
  const { config, log, tenants } = context;
  const http = guardedFetch({ allowPrivate: allowedHosts(config.PUSH_PRIVATE_HOSTS), maxAnswerBytes: MAX_ANSWER_BYTES, maxSockets: MAX_SOCKETS });
  context.onShutdown('sockets', 'connections to judging models', () => http.close());
  const { channels } = channelSet(basis);
  const known = new Map<string, Reranker>();
  return (tenant) => {
    const settings = tenants.get(tenant)?.push?.llm;
    if (settings?.enabled !== true) return undefined;
    const { baseUrl, model, timeoutMs = 2_000, maxInterests = 20, minScore = 0.5 } = settings;
    const secret = settings.apiKey === undefined ? undefined : channels.secret(tenant, settings.apiKey);
    if (secret !== undefined && !secret.ok) {
      log.warn({ tenant, problem: secret.error }, 'the key of the judging model cannot be had; the similarity alone counts');
      return undefined;
    }
    const apiKey = secret === undefined ? {} : { apiKey: secret.value };
    const name = JSON.stringify([tenant, baseUrl, model, timeoutMs, maxInterests, minScore, apiKey]);
    const judge = known.get(name) ?? new OpenAiReranker({ baseUrl, model, timeoutMs, maxInterests, minScore, ...apiKey }, clock, http.fetch);
    if (!known.has(name) && known.size >= MAX_JUDGES) known.delete(known.keys().next().value as string);
    known.set(name, judge);
    return judge;
  };
}
