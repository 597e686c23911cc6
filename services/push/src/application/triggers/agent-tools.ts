import { type DataOf, errors, type pushTriggersContracts as triggers } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { noticeEvent } from '../../domain/triggers/notice.js';
import { requestHash } from '../../domain/triggers/request-hash.js';
import { MAX_DEPTH } from './dispatch-on-event.js';
import { withKnownAgent } from './named-agent.js';
import type { AgentDirectory, NewRun, RunNotice, StoredRun, TriggerStore, TriggerTransaction } from './trigger-ports.js';

const HOUR_MS = 60 * 60_000;
/** Research runs that one user's calls may begin within an hour. */
export const MAX_RUNS_PER_HOUR = 60;

/** Who calls; from the verified token. */
export interface ToolCaller {
  readonly tenant: string;
  /** Absent for a service that acts for nobody. */
  readonly user?: string;
  /** May tell others than itself. */
  readonly forOthers: boolean;
  /** Who is charged for what comes from no run: agents have a budget, whether or not they say which run they are. */
  readonly agent?: string;
}

type Research = Pick<DataOf<typeof triggers.dispatchResearch>, 'query' | 'agentId' | 'timeoutMs' | 'agentRunId' | 'idempotencyKey'>;

/** What agents and integrators call: research, notify, or one after the other. */
export class AgentTools {
  constructor(
    private readonly store: TriggerStore,
    private readonly agents: AgentDirectory,
    private readonly clock: Clock,
    private readonly newId: () => string,
    private readonly onResult: (result: 'made' | 'refused') => void,
  ) {}

  /** Returns the id by which the result is asked for. Rejects with QUOTA_EXCEEDED (too many, or agents that call each other), with CONFLICT for a key of another request, with INVALID_REQUEST for an agent that nobody configured. */
  async research(caller: ToolCaller, request: Research, telling?: { readonly notice: RunNotice; readonly user?: string }): Promise<string> {
    const owner = userOf(caller, undefined);
    const recipient = telling && userOf(caller, telling.user);
    const named = await withKnownAgent(this.agents, { tenant: caller.tenant, user: owner }, { agentId: request.agentId }, '');
    const task = { message: request.query, timeoutMs: request.timeoutMs, ...(named.agentId === undefined ? {} : { agentId: named.agentId }) };
    const hash = requestHash([task, telling?.notice ?? null, recipient ?? null]);
    const id = `dsp_${this.newId()}`;
    const outcome = await this.store.transaction(async (tx) => {
      const now = this.clock.now();
      const depth = request.agentRunId === undefined ? 1 : (await tx.depthOf(caller.tenant, request.agentRunId)) + 1;
      const run: NewRun = {
        tenant: caller.tenant,
        id,
        owner,
        kind: 'tool',
        sourceId: requestHash(owner),
        dedupKey: request.idempotencyKey === undefined ? id : requestHash(request.idempotencyKey),
        requestHash: hash,
        task,
        ...(telling === undefined ? {} : { notice: telling.notice }),
        recipients: recipient === undefined ? [] : [recipient],
        ...(request.agentRunId === undefined ? {} : { causedBy: request.agentRunId }),
        depth,
        createdAt: now,
        deadline: now + request.timeoutMs,
      };
      return this.#begin(tx, run);
    });
    if (outcome === 'refused') {
      this.onResult('refused');
      throw errors.create('QUOTA_EXCEEDED', { details: { maxRunsPerHour: MAX_RUNS_PER_HOUR, maxDepth: MAX_DEPTH } });
    }
    if (outcome.run.requestHash !== hash) throw errors.create('CONFLICT', { details: { runId: outcome.run.id } });
    if (outcome.created) this.onResult('made');
    return outcome.run.id;
  }

  /** Puts a notification before the decider. The same idempotency key of the same caller is one event. */
  async notify(
    caller: ToolCaller,
    { user, agentRunId, idempotencyKey, ...notice }: DataOf<typeof triggers.notifyUser>,
  ): Promise<{ eventId: string; user: string }> {
    const recipient = userOf(caller, user);
    const eventId = `notify:${idempotencyKey === undefined ? this.newId() : requestHash([caller.user ?? '', idempotencyKey])}`;
    const event = noticeEvent(caller.tenant, recipient, notice, eventId, this.clock.now());
    const agent = agentRunId ?? caller.agent;
    const charged = agent === undefined ? {} : { agent };
    await this.store.transaction((tx) => tx.publish([{ kind: 'notice', tenant: caller.tenant, user: recipient, event, ...charged }]));
    return { eventId, user: recipient };
  }

  /** A repetition is answered before anything is counted: it costs nothing. */
  async #begin(tx: TriggerTransaction, run: NewRun): Promise<{ readonly run: StoredRun; readonly created: boolean } | 'refused'> {
    if (run.depth > MAX_DEPTH) return 'refused';
    const begun = await tx.startRun(run);
    if (!begun.created) return begun;
    const used = await tx.countRuns(run.tenant, { kind: 'tool', owner: run.owner }, run.createdAt - HOUR_MS);
    if (used <= MAX_RUNS_PER_HOUR) return begun;
    throw errors.create('QUOTA_EXCEEDED', { details: { maxRunsPerHour: MAX_RUNS_PER_HOUR } });
  }
}

/** Whom a call is about: the caller, or another one where the caller may speak for others. Throws FORBIDDEN. */
function userOf(caller: ToolCaller, wanted: string | undefined): string {
  const user = wanted ?? caller.user;
  if (user === undefined) throw errors.create('FORBIDDEN', { message: 'This is about a user, and neither the credential nor the request names one.' });
  if (user !== caller.user && !caller.forOthers) throw errors.create('FORBIDDEN', { message: 'Only operators and services speak to others than themselves.' });
  return user;
}
